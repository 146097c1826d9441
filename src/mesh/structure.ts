import type { AccessGrant } from "./access-policy.ts";
import type { AddressClaims } from "./address-claims.ts";
import { sameElements } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import { createOnce, type Once } from "./once.ts";
import type { MeshSettings } from "./records.ts";
import type { PortModel } from "./service-model.ts";
import type { SplitPolicy } from "./split-policy.ts";

/**
 * All that views say except endpoints: the same object from snapshot to snapshot while only endpoints and readiness
 * change, so that what is derived from it is derived once.
 */
export interface MeshStructure {
  readonly settings: MeshSettings;
  readonly claims: AddressClaims;
  /** Of the whole mesh, by namespace and Service, in order. */
  readonly ports: readonly PortModel[];
  /** None in permissive mode, in which they have no effect. */
  readonly grants: readonly AccessGrant[];
  readonly splits: ReadonlyMap<string, SplitPolicy>;
  readonly derived: Once;
}

export function meshStructure(
  settings: MeshSettings,
  claims: AddressClaims,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  previous?: MeshStructure,
): MeshStructure {
  const models = [...namespaces.values()];
  const next = {
    settings,
    claims,
    ports: models.flatMap((model) => [...model.services.values()].flatMap(({ ports }) => ports)),
    grants: settings.isPermissive ? [] : models.flatMap(({ access }) => access.grants),
    splits: new Map(models.map(({ namespace, splits }) => [namespace, splits])),
  };
  const isSame =
    previous?.settings === settings &&
    previous.claims.shared === claims.shared &&
    previous.claims.remaining === claims.remaining &&
    sameElements(previous.ports, next.ports) &&
    sameElements(previous.grants, next.grants) &&
    sameElements([...previous.splits.keys()], [...next.splits.keys()]) &&
    sameElements([...previous.splits.values()], [...next.splits.values()]);
  return isSame ? previous : { ...next, derived: createOnce() };
}
