/**
 * What the proxies of a service have to be told, worked out from the world and the policy model of `docs/policy.md` and
 * the names of `docs/envoy-configuration.md`: a second, smaller opinion than the control plane's own.
 */
import { namespaceOf, servicesIn } from "./shape.ts";
import type { World } from "./world.ts";
import { SERVICE_PORT, serviceName, TARGET_PORT, WRITE_PATH } from "./world-objects.ts";

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

/** The weight of a cluster to which a route sends everything. */
export const UNDIVIDED = 1;

/** All that a proxy of one service has to have; names in ascending order. */
export interface Expectation {
  /** By type URL. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Addresses with ports of each endpoint resource, in ascending order. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** Of each cluster that it may call: names that its servers' certificates may carry, in ascending order. */
  readonly peers: ReadonlyMap<string, readonly string[]>;
  /** Weights by cluster of each outbound route. */
  readonly weights: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Who may call, in ascending order; undefined: anybody. */
  readonly principals: readonly string[] | undefined;
  /** Path expressions of its inbound routes, in ascending order; undefined: any path. */
  readonly paths: readonly string[] | undefined;
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
  const destinations = Array.from({ length: world.services }, (_, service) => destination(world, service));
  const known = new Map<number, Expectation>();
  return (service) => {
    const before = known.get(service);
    if (before !== undefined) return before;
    const expectation = expect(world, { service, called: called[service] ?? new Set(), destinations });
    known.set(service, expectation);
    return expectation;
  };
}

interface Place {
  readonly service: number;
  /** Services that policy lets this one call. */
  readonly called: ReadonlySet<number>;
  readonly destinations: readonly Destination[];
}

/** A service as all that may call it see it: made once, since a thousand services may each see a thousand. */
interface Destination {
  readonly cluster: string;
  readonly addresses: readonly string[];
  readonly peers: readonly string[];
  readonly route: string;
  readonly weights: ReadonlyMap<string, number>;
}

function destination(world: World, service: number): Destination {
  const backends = world.splits.get(service) ?? [{ service, weight: UNDIVIDED }];
  return {
    cluster: clusterOf(world, service),
    addresses: world
      .podsOf(service)
      .map(({ address }) => `${address}:${TARGET_PORT}`)
      .sort(),
    peers: [world.principal(world.account(service))],
    route: outboundRouteOf(world, service),
    weights: new Map(backends.map((backend) => [clusterOf(world, backend.service), backend.weight])),
  };
}

function expect(world: World, { service, called, destinations }: Place): Expectation {
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
  const of = (services: Iterable<number>) => [...services].flatMap((each) => destinations[each] ?? []);
  const clusters = of(visible)
    .map(({ cluster }) => cluster)
    .sort();
  const reachable = new Set(of(called));
  const endpoints = new Map(
    of(visible).map((each) => [each.cluster, reachable.has(each) ? each.addresses : []] as const),
  );
  const further = world.furtherSources.get(service);
  const passesOut = world.settings.get("spec.traffic.enableEgress") === true;
  const accounts = (world.callers[service] ?? []).map((caller) => world.account(caller));
  if (further !== undefined) accounts.push(further);
  const readPath = `${world.pathOf(service)}/.*`;
  return {
    names: {
      [TYPE_URL.cluster]: [
        ...clusters,
        ...[...locals].map((each) => `${clusterOf(world, each)}|local`),
        ...(passesOut ? [PASSTHROUGH_CLUSTER] : []),
      ].sort(),
      [TYPE_URL.endpoints]: clusters,
      [TYPE_URL.listener]: [...(routed.size > 0 || passesOut ? [OUTBOUND_LISTENER] : []), INBOUND_LISTENER].sort(),
      [TYPE_URL.route]: [INBOUND_ROUTE, ...of(routed).map(({ route }) => route)].sort(),
      [TYPE_URL.secret]: ["root-cert", LEAF_SECRET],
    },
    endpoints,
    peers: new Map(of(called).map(({ cluster, peers }) => [cluster, peers])),
    weights: new Map(of(routed).map(({ route, weights }) => [route, weights])),
    principals: world.isPermissive ? undefined : accounts.map((each) => world.principal(each)).sort(),
    // Without a policy there are no routes.
    paths: world.isPermissive ? undefined : accounts.length === 0 ? [] : [readPath, WRITE_PATH].sort(),
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
