/** Where the secrets in a table come from. */
import type { Identity } from "../mesh/mod.ts";
import type { Resource } from "../xds/resource.ts";

/** The secrets that every table of an identity carries: the trust bundle, and its leaf unless nobody asked for it yet. */
export interface TableSecrets {
  readonly resources: readonly Resource[];
  /** Whether a proxy that holds this version of a secret may keep it; see `ResourceTable.isAsGood`. */
  readonly isAsGood?: (name: string, version: string) => boolean;
  /** Whether a secret that is not among `resources` is being made; see `ResourceTable.isAwaited`. */
  readonly isAwaited?: (name: string) => boolean;
}

/** Where the secrets of identities come from. */
export interface SecretSource {
  /** Undefined until proxies can be served. The same object until something in it changes. */
  current(identity: Identity): TableSecrets | undefined;
  /** The identity is in use; `PushEngine.secretsChanged` is called whenever `current` says something else. */
  want(identity: Identity): void;
  /** Forgets the identities that nobody has any more. */
  retain(isAlive: (identity: Identity) => boolean): void;
}
