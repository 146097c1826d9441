/**
 * What the proxies of a service have to be told, worked out from the world and the policy model of `docs/policy.md` and
 * the names of `docs/envoy-configuration.md`: a second, smaller opinion than the control plane's own.
 */
import {
  clusterOf,
  INBOUND_LISTENER,
  INBOUND_ROUTE,
  LEAF_SECRET,
  OUTBOUND_LISTENER,
  outboundRouteOf,
  PASSTHROUGH_CLUSTER,
  ROOT_SECRET,
  TYPE_URL,
  UNDIVIDED,
} from "./oracle-names.ts";
import {
  clusterLines,
  inboundListenerLines,
  inboundRouteLines,
  localClusterLines,
  outboundChainLines,
  outboundListenerLines,
  outboundRouteLines,
  passthroughClusterLines,
} from "./oracle-resources.ts";
import { namespaceOf, servicesIn } from "./shape.ts";
import type { World } from "./world.ts";
import { TARGET_PORT, WRITE_PATH } from "./world-objects.ts";

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
  /** Clusters, listeners and routes whole; expectations share what is the same of them. */
  readonly contents: readonly ExpectedContents[];
}

/** Lines of resources (see `oracle-lines.ts`), by name. */
export interface ExpectedContents {
  readonly typeUrl: string;
  readonly lines: ReadonlyMap<string, readonly string[]>;
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
  const outlooks = new Map<ReadonlySet<number>, Map<string, Outlook>>();
  const known = new Map<number, Expectation>();
  return (service) => {
    const before = known.get(service);
    if (before !== undefined) return before;
    const own = called[service] ?? NOBODY;
    const namespace = world.namespace(service);
    const alike = outlooks.get(own) ?? new Map<string, Outlook>();
    outlooks.set(own, alike);
    const seen = alike.get(namespace) ?? outlook(world, { namespace, called: own, destinations });
    alike.set(namespace, seen);
    const expectation = expect(world, service, seen);
    known.set(service, expectation);
    return expectation;
  };
}

interface Place {
  readonly namespace: string;
  /** Services that policy lets those there call. */
  readonly called: ReadonlySet<number>;
  readonly destinations: readonly Destination[];
}

/** A service as all that may call it see it: made once, since a thousand services may each see a thousand. */
interface Destination {
  readonly namespace: string;
  readonly cluster: string;
  readonly clusterLines: readonly string[];
  readonly addresses: readonly string[];
  readonly peers: readonly string[];
  readonly route: string;
  readonly nearLines: readonly string[];
  readonly farLines: readonly string[];
  readonly chainLines: readonly string[];
  readonly weights: ReadonlyMap<string, number>;
}

function destination(world: World, service: number): Destination {
  const backends = world.splits.get(service) ?? [{ service, weight: UNDIVIDED }];
  const weights = new Map(backends.map((backend) => [clusterOf(world, backend.service), backend.weight]));
  const peers = [world.principal(world.account(service))];
  return {
    namespace: world.namespace(service),
    cluster: clusterOf(world, service),
    clusterLines: clusterLines(world, service, peers),
    addresses: world
      .podsOf(service)
      .map(({ address }) => `${address}:${TARGET_PORT}`)
      .sort(),
    peers,
    route: outboundRouteOf(world, service),
    nearLines: outboundRouteLines(world, { service, weights, isNear: true }),
    farLines: outboundRouteLines(world, { service, weights, isNear: false }),
    chainLines: outboundChainLines(world, service),
    weights,
  };
}

/** What is the same for all proxies of a namespace that may call the same. */
interface Outlook extends Pick<Expectation, "endpoints" | "peers" | "weights" | "contents"> {
  /** Names in ascending order. */
  readonly clusters: readonly string[];
  readonly routes: readonly string[];
}

function outlook(world: World, { namespace, called, destinations }: Place): Outlook {
  const routed = new Set(called);
  for (const [apex, backends] of world.splits) {
    if (backends.some((backend) => called.has(backend.service))) routed.add(apex);
  }
  const visible = new Set(routed);
  for (const apex of routed) for (const backend of world.splits.get(apex) ?? []) visible.add(backend.service);
  const of = (services: Iterable<number>) => [...services].flatMap((each) => destinations[each] ?? []);
  const reachable = new Set(of(called));
  const seen = of(visible);
  const led = of(routed);
  const listeners = new Map<string, readonly string[]>();
  if (led.length > 0 || passesOut(world)) {
    const chains = led.map(({ chainLines }) => chainLines);
    listeners.set(OUTBOUND_LISTENER, outboundListenerLines(chains, passesOut(world)));
  }
  return {
    clusters: seen.map(({ cluster }) => cluster).sort(),
    routes: led.map(({ route }) => route).sort(),
    endpoints: new Map(
      seen.map((each) => [each.cluster, reachable.has(each) ? each.addresses : NO_ADDRESSES] as const),
    ),
    peers: new Map(of(called).map(({ cluster, peers }) => [cluster, peers])),
    weights: new Map(led.map(({ route, weights }) => [route, weights])),
    contents: [
      { typeUrl: TYPE_URL.cluster, lines: new Map(seen.map((each) => [each.cluster, each.clusterLines])) },
      {
        typeUrl: TYPE_URL.route,
        lines: new Map(
          led.map((each) => [each.route, each.namespace === namespace ? each.nearLines : each.farLines] as const),
        ),
      },
      { typeUrl: TYPE_URL.listener, lines: listeners },
    ],
  };
}

const NOBODY: ReadonlySet<number> = new Set();
const NO_ADDRESSES: readonly string[] = [];

function expect(world: World, service: number, seen: Outlook): Expectation {
  const { clusters, routes, endpoints, peers, weights } = seen;
  const locals = new Set([service]);
  for (const [apex, backends] of world.splits) {
    if (backends.some((backend) => backend.service === service)) locals.add(apex);
  }
  const further = world.furtherSources.get(service);
  const accounts = (world.callers[service] ?? []).map((caller) => world.account(caller));
  if (further !== undefined) accounts.push(further);
  const readPath = `${world.pathOf(service)}/.*`;
  const own = ownClusters(world, locals);
  return {
    names: {
      [TYPE_URL.cluster]: [...clusters, ...own.keys()].sort(),
      [TYPE_URL.endpoints]: clusters,
      [TYPE_URL.listener]: [
        ...(routes.length > 0 || passesOut(world) ? [OUTBOUND_LISTENER] : []),
        INBOUND_LISTENER,
      ].sort(),
      [TYPE_URL.route]: [INBOUND_ROUTE, ...routes].sort(),
      [TYPE_URL.secret]: [ROOT_SECRET, LEAF_SECRET],
    },
    endpoints,
    peers,
    weights,
    principals: world.isPermissive ? undefined : accounts.map((each) => world.principal(each)).sort(),
    // Without a policy there are no routes.
    paths: world.isPermissive ? undefined : accounts.length === 0 ? [] : [readPath, WRITE_PATH].sort(),
    contents: [
      ...seen.contents,
      { typeUrl: TYPE_URL.cluster, lines: own },
      { typeUrl: TYPE_URL.listener, lines: new Map([[INBOUND_LISTENER, inboundListenerLines(world, service)]]) },
      {
        typeUrl: TYPE_URL.route,
        lines: new Map([[INBOUND_ROUTE, inboundRouteLines(world, locals, service, accounts.length)]]),
      },
    ],
  };
}

function ownClusters(world: World, locals: Iterable<number>): ReadonlyMap<string, readonly string[]> {
  const own = new Map([...locals].map((each) => [`${clusterOf(world, each)}|local`, localClusterLines(world, each)]));
  if (passesOut(world)) own.set(PASSTHROUGH_CLUSTER, passthroughClusterLines());
  return own;
}

function passesOut({ settings }: World): boolean {
  return settings.get("spec.traffic.enableEgress") === true;
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
