import type { Shape } from "./shape.ts";
import type { SettingField, SettingValue } from "./world-objects.ts";

/** How a simulated proxy behaves; the same words as the engine's. */
export type ScenarioBehaviour =
  | { readonly kind: "normal" }
  | { readonly kind: "never-ack" }
  | { readonly kind: "slow-reader"; readonly bytesPerSecond: number }
  | { readonly kind: "nack"; readonly share: number }
  | { readonly kind: "vanish"; readonly afterMs: number };

/** A share of the proxies, drawn by the seed. */
export interface BehaviourShare {
  readonly share: number;
  readonly behaviour: ScenarioBehaviour;
}

/** What goes wrong with the folder that the control plane reads. */
export type SourceTrouble =
  /** A file is cut short for a while, and written over in place then. */
  | "torn-write"
  /** A link that leads nowhere is in a file's place for a while. */
  | "unreadable"
  /** The folder is gone for a while; another one comes into its place, with what has changed meanwhile. */
  | "folder-away"
  /** So much happens at once that the system forgets to tell of the rest, a change among it. */
  | "queue-overflow"
  /** Every file is replaced by one that says the same. */
  | "rewrite-all";

/** Changes at a steady rate, from `atMs` of its phase on. */
interface Steady {
  readonly atMs: number;
  readonly forMs: number;
  /** Per second. */
  readonly rate: number;
}

interface Once {
  readonly atMs: number;
}

export type Action =
  /** A pod gets another address. `merge`: so many at a time, without a pause between them. */
  | ({ readonly kind: "endpoint-churn"; readonly merge: number } & Steady)
  /** The pods of `share` of the services are replaced, `rate` pods a second; their proxies start cold. */
  | ({ readonly kind: "rolling-update"; readonly share: number } & Steady)
  /** Another source of a TrafficTarget: the proxies of one service get other access rules. */
  | ({ readonly kind: "policy-edit" } & Steady)
  /** A service is allowed to call another, or no more: both sides change. */
  | ({ readonly kind: "grant-edit" } & Steady)
  /** Another path in an HTTPRouteGroup: the proxies of one service get other routes. */
  | ({ readonly kind: "route-edit" } & Steady)
  /** Other weights of a TrafficSplit. */
  | ({ readonly kind: "split-edit" } & Steady)
  /** A file is written again with what it says. */
  | ({ readonly kind: "touch" } & Steady)
  /** Pods that are not of the mesh, and states of pods that nothing depends on. */
  | ({ readonly kind: "noise" } & Steady)
  | ({ readonly kind: "pods-added" } & Steady)
  | ({ readonly kind: "pods-removed" } & Steady)
  /** Permissive mode and back: `count` times, `everyMs` apart. */
  | ({ readonly kind: "flip"; readonly count: number; readonly everyMs: number } & Once)
  /** A field of the MeshConfig that every proxy's configuration depends on gets one value after the other. */
  | ({
      readonly kind: "edit-setting";
      readonly field: SettingField;
      readonly values: readonly SettingValue[];
      readonly count: number;
      readonly everyMs: number;
    } & Once)
  /** `count` times, `everyMs` apart; a trouble that does not end at once takes `lastsMs`. */
  | ({
      readonly kind: "source-trouble";
      readonly trouble: SourceTrouble;
      readonly lastsMs: number;
      readonly count: number;
      readonly everyMs: number;
    } & Once)
  | ({ readonly kind: "rotate-certificates" } & Once)
  /** A replica of the control plane is killed, unless it is drained already, and started again at the same address. */
  | ({ readonly kind: "restart"; readonly replica: number } & Once)
  /** A replica of the control plane is asked to end; its proxies go to the others. */
  | ({ readonly kind: "drain"; readonly replica: number } & Once)
  /** Proxies close and come again, with the versions that they have or, `forget`, with none. */
  | ({
      readonly kind: "reconnect";
      readonly share: number;
      readonly forget: boolean;
      readonly withoutFin: boolean;
      readonly perSecond?: number;
    } & Once)
  /** From here on a share of the proxies that are well behaves in another way; of those that do, a share is well again. */
  | ({ readonly kind: "behave"; readonly share: number; readonly behaviour: ScenarioBehaviour } & Once)
  /** Nothing is done. */
  | { readonly kind: "rest"; readonly atMs: number; readonly forMs: number };

export type ActionKind = Action["kind"];

/** Actions that run at the same time; numbers are reported for each phase. */
export interface Phase {
  readonly name: string;
  readonly actions: readonly Action[];
}

export type ScenarioTarget =
  /**
   * A control plane of this project is started over a folder that the fleet writes, with these further flags; `replicas` of
   * them share folder and CA.
   */
  | { readonly kind: "serve"; readonly flags: readonly string[]; readonly replicas: number }
  /** One that runs already. Without `folder` nothing but connections can be changed. */
  | {
      readonly kind: "address";
      readonly address: string;
      readonly folder?: string;
      readonly admin?: string;
      readonly pid?: number;
    };

export interface Scenario {
  readonly name: string;
  /** The kind of load, for people: `endpoint-churn`. */
  readonly workload: string;
  readonly description: string;
  readonly seed: number;
  /** The shape's name; its services and pods of each, as `20 x 5`, when it is none of those that have one. */
  readonly shapeName: string;
  readonly shape: Shape;
  /** Pods with a proxy, spread over the services; the others have none. */
  readonly proxies: number;
  readonly protocol: "delta" | "sotw";
  readonly behaviours: readonly BehaviourShare[];
  readonly target: ScenarioTarget;
  /** Connections opened per second; undefined: all at once. */
  readonly connectPerSecond?: number;
  /** Processes of the fleet; undefined: one for 5,000 proxies. */
  readonly processes?: number;
  /** Longest that anything may take before it counts as missing. */
  readonly patienceMs: number;
  readonly phases: readonly Phase[];
}

/** What is wrong with a scenario, and where. */
export interface ScenarioProblem {
  /** 1-based; undefined when the value does not come from the file. */
  readonly line: number | undefined;
  /** `phases[0].rate`. */
  readonly field: string;
  /** A sentence: what was expected, what was found, what to write. */
  readonly message: string;
}

/** A scenario that cannot be run as it is written. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  readonly problems: readonly ScenarioProblem[];

  constructor(file: string, problems: readonly ScenarioProblem[]) {
    super(
      problems
        .map(({ line, field, message }) => `${file}${line === undefined ? "" : `:${line}`}: ${field}: ${message}`)
        .join("\n"),
    );
    this.problems = problems;
  }
}
