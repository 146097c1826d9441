import type { Rejection } from "../lib/mod.ts";

/** What the runner tells the process that runs the pods, as JSON in its first argument. */
export interface NodeConfig {
  /** The served folder; containers run in it. */
  readonly dir: string;
  /** Private folder for logs and for what files last said. */
  readonly stateDir: string;
  /** Folder of the CA's key: no pod sees into it. */
  readonly caDir: string;
  readonly sockets: {
    /** Where the control plane serves xDS. */
    readonly xds: string;
    /** Where the control plane takes objects and gives credentials. */
    readonly control: string;
    /** To be served here. */
    readonly node: string;
  };
  /** The Envoy binary; undefined: no pod can be injected. */
  readonly envoy?: string;
  readonly healthcheckCommand: readonly string[];
  readonly meshName: string;
  readonly osmNamespace: string;
  readonly clusterDomain: string;
  readonly caller: { readonly uid: number; readonly gid: number };
  /** Environment of containers before their own. */
  readonly environment: Readonly<Record<string, string>>;
  /** The caller is not root: this process has a user namespace of its own. */
  readonly isRootless: boolean;
}

/** Lines that the process writes to its standard output, one JSON object each. */
export type NodeMessage =
  /** To be answered, on standard input, with `{"hostPid": N}`: the process id that the host knows it by. */
  | { readonly type: "started" }
  /** The private socket answers. */
  | { readonly type: "listening" }
  /** Every pod is ready or has been named as unable to be. */
  | { readonly type: "settled" }
  /** What cannot be made into pods, and parts without effect: all there is now. */
  | { readonly type: "rejections"; readonly rejections: readonly Rejection[] };
