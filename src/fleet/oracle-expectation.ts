/**
 * What the proxies of a service have to be told, worked out from the world and the policy model of `docs/policy.md` and
 * the names of `docs/envoy-configuration.md`: a second, smaller opinion than the control plane's own.
 */
import { namespaceOf, servicesIn } from "./shape.ts";
import type { World } from "./world.ts";
import { SERVICE_PORT, serviceName, TARGET_PORT } from "./world-objects.ts";

export const TYPE_URL = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;

export const INBOUND_ROUTE = `rds-inbound.${TARGET_PORT}`;
export const LEAF_SECRET = "service-cert";
export const INBOUND_LISTENER = "inbound-listener";
export const OUTBOUND_LISTENER = "outbound-listener";
export const PASSTHROUGH_CLUSTER = "passthrough-outbound";

/** All that a proxy of one service has to have; names in ascending order. */
export interface Expectation {
  /** By type URL. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Addresses of each endpoint resource, in ascending order. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** Weights by cluster of each outbound route that is split. */
  readonly splits: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Who may call, in ascending order; undefined: anybody. */
  readonly principals: readonly string[] | undefined;
}

export function clusterOf(world: World, service: number): string {
  return `${world.namespace(service)}/${serviceName(service)}|${TARGET_PORT}`;
}

export function outboundRouteOf(world: World, service: number): string {
  return `rds-outbound.${world.namespace(service)}/${serviceName(service)}.${SERVICE_PORT}`;
}

/** Services whose proxies get the endpoints of `service`. */
export function seersOfEndpoints(world: World, service: number): readonly number[] {
  return world.isPermissive ? inScopeWith(world, service) : (world.callers[service] ?? []);
}

/** Services whose proxies have a route to `service`: its callers, and those of whom its split makes answer. */
export function seersOfRoute(world: World, service: number): readonly number[] {
  if (world.isPermissive) return inScopeWith(world, service);
  const seers = new Set(world.callers[service]);
  for (const backend of world.splits.get(service) ?? []) {
    for (const caller of world.callers[backend.service] ?? []) seers.add(caller);
  }
  return [...seers].sort((left, right) => left - right);
}

/** Works out expectations of one state of the world; each service once. */
export function expectations(world: World): (service: number) => Expectation {
  const called = calledBy(world);
  const addresses = Array.from({ length: world.services }, (_, service) =>
    world
      .podsOf(service)
      .map(({ address }) => address)
      .sort(),
  );
  const known = new Map<number, Expectation>();
  return (service) => {
    const before = known.get(service);
    if (before !== undefined) return before;
    const expectation = expect(world, { service, called: called[service] ?? new Set(), addresses });
    known.set(service, expectation);
    return expectation;
  };
}

interface Place {
  readonly service: number;
  /** Services that policy lets this one call. */
  readonly called: ReadonlySet<number>;
  readonly addresses: readonly (readonly string[])[];
}

function expect(world: World, { service, called, addresses }: Place): Expectation {
  const routed = new Set(called);
  for (const [apex, backends] of world.splits) {
    if (backends.some((backend) => called.has(backend.service))) routed.add(apex);
  }
  const visible = new Set(routed);
  for (const apex of routed) for (const backend of world.splits.get(apex) ?? []) visible.add(backend.service);
  const locals = new Set([service]);
  for (const [apex, backends] of world.splits) {
    if (backends.some((backend) => backend.service === service)) locals.add(apex);
  }
  const clusters = [...visible].map((each) => clusterOf(world, each)).sort();
  const endpoints = new Map(
    [...visible].map((each) => [clusterOf(world, each), called.has(each) ? (addresses[each] ?? []) : []]),
  );
  const splits = new Map<string, ReadonlyMap<string, number>>();
  for (const apex of routed) {
    const backends = world.splits.get(apex);
    if (backends === undefined) continue;
    const weights = backends.map(({ service: each, weight }): [string, number] => [clusterOf(world, each), weight]);
    splits.set(outboundRouteOf(world, apex), new Map(weights));
  }
  const further = world.furtherSources.get(service);
  const passesOut = world.settings.get("spec.traffic.enableEgress") === true;
  const accounts = (world.callers[service] ?? []).map((caller) => world.account(caller));
  return {
    names: {
      [TYPE_URL.cluster]: [
        ...clusters,
        ...[...locals].map((each) => `${clusterOf(world, each)}|local`),
        ...(passesOut ? [PASSTHROUGH_CLUSTER] : []),
      ].sort(),
      [TYPE_URL.endpoints]: clusters,
      [TYPE_URL.listener]: [...(routed.size > 0 || passesOut ? [OUTBOUND_LISTENER] : []), INBOUND_LISTENER].sort(),
      [TYPE_URL.route]: [INBOUND_ROUTE, ...[...routed].map((each) => outboundRouteOf(world, each))].sort(),
      [TYPE_URL.secret]: ["root-cert", LEAF_SECRET],
    },
    endpoints,
    splits,
    principals: world.isPermissive
      ? undefined
      : [...accounts, ...(further === undefined ? [] : [further])].map((each) => world.principal(each)).sort(),
  };
}

function calledBy(world: World): readonly ReadonlySet<number>[] {
  if (world.isPermissive) {
    const known = new Map<string, ReadonlySet<number>>();
    return Array.from({ length: world.services }, (_, service) => {
      const scope = world.shape.scope === undefined ? "" : world.namespace(service);
      const all = known.get(scope) ?? new Set(inScopeWith(world, service));
      known.set(scope, all);
      return all;
    });
  }
  const called = Array.from({ length: world.services }, () => new Set<number>());
  for (const [service, callers] of world.callers.entries()) {
    for (const caller of callers) called[caller]?.add(service);
  }
  return called;
}

/** Services that a service's proxies know in permissive mode; the same services' proxies know it. */
function inScopeWith({ shape }: World, service: number): readonly number[] {
  if (shape.scope === "namespace") return servicesIn(shape, namespaceOf(shape, service));
  return Array.from({ length: shape.services }, (_, each) => each);
}
