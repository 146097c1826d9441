/**
 * A world of the fleet as a list of objects, and edits of single ones. Pure and seeded: one shape always gives the same
 * objects, so counts and bytes can be compared between runs and machines.
 */
import { type WorldPod as FleetPod, World as FleetWorld, type KubeObject } from "../src/fleet/mod.ts";
import {
  namespaceName,
  serviceName,
  sliceObject,
  TARGET_PORT,
  trafficTargetObject,
} from "../src/fleet/world-objects.ts";

/** A pod as a client needs to know it. */
export type WorldPod = Pick<FleetPod, "namespace" | "name" | "serviceAccount" | "uuid" | "address">;

/** How large a mesh is and who calls whom. Service `n` has the service account, the selector and the pods of its name. */
export interface Shape {
  readonly services: number;
  readonly podsPerService: number;
  /** Services lie in this many namespaces, in turn. */
  readonly namespaces: number;
  /** How many others may call each service; nothing but that is allowed. 0: permissive mode, all may call all. */
  readonly callers: number;
  readonly seed: number;
}

export interface World {
  readonly shape: Shape;
  /** All objects, each once, in an order that a list of a whole cluster could have. */
  readonly objects: readonly KubeObject[];
  readonly pods: readonly WorldPod[];
  /** The EndpointSlice of service `n`: its pods, and one more endpoint of no pod at each of the `further` addresses. */
  readonly slice: (service: number, further?: readonly string[]) => KubeObject;
  /** The same without one of its pods. */
  readonly sliceWithout: (service: number, pod: number) => KubeObject;
  /** The TrafficTarget to service `n`, which allows these matches of its route group: `read` and `write`. */
  readonly target: (service: number, matches: readonly string[]) => KubeObject;
}

/** Makes the world of a shape. */
export function makeWorld(shape: Shape): World {
  const { services, podsPerService: pods, namespaces, callers, seed } = shape;
  const graph =
    callers === 0
      ? ({ mode: "permissive", calls: { kind: "all" } } as const)
      : ({ mode: "smi", calls: { kind: "degree", degree: callers } } as const);
  const world = new FleetWorld({ services, pods, namespaces, splits: 0, seed, ...graph });
  const sliceOf = (service: number, own: readonly FleetPod[]) => sliceObject(world.namespace(service), service, 0, own);
  return {
    shape,
    objects: world.objects(),
    pods: world.pods(),
    slice(service, further = []) {
      const slice = sliceOf(service, world.podsOf(service));
      const others = further.map((address) => ({ addresses: [address], conditions: { ready: true } }));
      return { ...slice, endpoints: [...(slice["endpoints"] as readonly unknown[]), ...others] };
    },
    sliceWithout: (service, pod) => sliceOf(service, world.podsOf(service).toSpliced(pod, 1)),
    target(service, matches) {
      const sources = (world.callers[service] ?? []).map((caller) => world.account(caller));
      const target = trafficTargetObject(world.namespace(service), service, sources);
      const spec = target["spec"] as { readonly rules: readonly object[] };
      return { ...target, spec: { ...spec, rules: spec.rules.map((rule) => ({ ...rule, matches })) } };
    },
  };
}

/** The name under which proxies know the endpoints of service `n`. */
export function endpointsName({ namespaces }: Pick<Shape, "namespaces">, service: number): string {
  return `${namespaceName(service % namespaces)}/${serviceName(service)}|${TARGET_PORT}`;
}
