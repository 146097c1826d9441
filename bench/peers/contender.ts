/** A server under test with a fleet of its own, and how changes are made on it: ours by its folder, a peer by its control port. */
import { envoy } from "../../proto/gen/envoy.js";
import type { Fleet } from "../../src/fleet/fleet-api.ts";
import type { World } from "../../src/fleet/world.ts";
import { furtherAddress, serviceName, TARGET_PORT } from "../../src/fleet/world-objects.ts";
import type { BenchMesh } from "../mesh.ts";
import type { PeerProcess, ResourceDump } from "./go-control-plane.ts";

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { RouteConfiguration } = envoy.config.route.v3;

export const ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
export const ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/** A change that is ready to be made. */
export interface Change {
  readonly typeUrl: string;
  readonly name: string;
  /** What the changed resource's bytes contain. */
  readonly contains: string;
  make(): unknown;
}

export interface Contender {
  readonly fleet: Fleet;
  usage(): Promise<{ readonly cpuSeconds: number; readonly residentBytes: number }>;
  /** Change number `n`: the first pod of one service gets an address that no pod had. */
  endpoint(n: number): Change;
  /** Change number `n`: the weights of the mesh's first split. */
  weight(n: number): Change;
}

/** The name under which proxies know the endpoints of a service. */
export function endpointsName(world: World, service: number): string {
  return `${world.namespace(service)}/${serviceName(service)}|${TARGET_PORT}`;
}

function inTurn(world: World, n: number, services?: readonly number[]): number {
  return services === undefined ? n % world.services : (services[n % services.length] as number);
}

/** Of 100, for the split service itself; never the same twice running, and never half, with which a world begins. */
function weightOf(n: number): number {
  return 10 + (n % 40);
}

/** `services`: whose endpoints change, in turn; all when absent. */
export function ours({ plane, fleet, feed, world }: BenchMesh, route: string, services?: readonly number[]): Contender {
  return {
    fleet,
    async usage() {
      return {
        cpuSeconds: await plane.metric("process_cpu_seconds_total"),
        residentBytes: await plane.metric("process_resident_memory_bytes"),
      };
    },
    endpoint(n) {
      const service = inTurn(world, n, services);
      const [pod] = world.podsOf(service);
      if (pod === undefined) throw new Error(`service ${service} has no pod`);
      const address = furtherAddress(n);
      const { commit: make } = feed.prepare(world, world.movePod(pod, address));
      return { typeUrl: ENDPOINTS, name: endpointsName(world, service), contains: address, make };
    },
    weight(n) {
      const [apex, backends] = [...world.splits][0] ?? [];
      if (apex === undefined || backends === undefined) throw new Error("the world has no split");
      const weight = weightOf(n);
      world.splits.set(
        apex,
        backends.map(({ service }) => ({ service, weight: service === apex ? weight : 100 - weight })),
      );
      const { commit: make } = feed.prepare(world, [`split ${apex}`]);
      return { typeUrl: ROUTE, name: route, contains: "", make };
    },
  };
}

/** The same changes as bytes, made from what ours served. */
export function theirs(
  peer: PeerProcess,
  fleet: Fleet,
  world: World,
  {
    dump,
    route,
    services,
  }: { readonly dump: ResourceDump; readonly route: string; readonly services: readonly number[] },
): Contender {
  const bytesOf = (typeUrl: string, name: string) => {
    const found = Object.values(dump.classes)
      .flat()
      .find((each) => each.typeUrl === typeUrl && each.name === name);
    if (found === undefined) throw new Error(`nobody was served ${typeUrl} ${name}`);
    return Buffer.from(found.value, "base64");
  };
  const assignments = new Map<number, envoy.config.endpoint.v3.ClusterLoadAssignment>();
  return {
    fleet,
    async usage() {
      return await peer.stats();
    },
    endpoint(n) {
      const service = inTurn(world, n, services);
      const name = endpointsName(world, service);
      const assignment = assignments.get(service) ?? ClusterLoadAssignment.decode(bytesOf(ENDPOINTS, name));
      assignments.set(service, assignment);
      const address = furtherAddress(n);
      const socketAddress = assignment.endpoints[0]?.lbEndpoints?.[0]?.endpoint?.address?.socketAddress;
      if (!socketAddress) throw new Error(`${name} has no endpoint`);
      socketAddress.address = address;
      const bytes = ClusterLoadAssignment.encode(assignment).finish();
      return { typeUrl: ENDPOINTS, name, contains: address, make: () => peer.put(ENDPOINTS, name, bytes) };
    },
    weight(n) {
      const bytes = reweighed(bytesOf(ROUTE, route), weightOf(n));
      return { typeUrl: ROUTE, name: route, contains: "", make: () => peer.put(ROUTE, route, bytes) };
    },
  };
}

/**
 * Services whose endpoints are the same for all who were served them. Others are in a split: some know the name with nothing
 * in it, and the peer, which changes a resource wherever it is held, would have more to send than ours.
 */
export function servicesHeldAlike(world: World, { classes }: ResourceDump): readonly number[] {
  const held = new Map<string, string | undefined>();
  for (const { typeUrl, name, value } of Object.values(classes).flat()) {
    if (typeUrl === ENDPOINTS) held.set(name, !held.has(name) || held.get(name) === value ? value : undefined);
  }
  return Array.from({ length: world.services }, (_, service) => service).filter(
    (service) => held.get(endpointsName(world, service)) !== undefined,
  );
}

/** The name of the route configuration that splits requests. */
export function splitRouteOf(dump: ResourceDump): string {
  const routes = Object.values(dump.classes)
    .flat()
    .filter(({ typeUrl }) => typeUrl === ROUTE);
  const split = routes.find(({ value }) =>
    weightedClusters(Buffer.from(value, "base64")).some(({ length }) => length > 1),
  );
  if (split === undefined) throw new Error("nobody was served a split");
  return split.name;
}

function weightedClusters(bytes: Uint8Array) {
  const { virtualHosts } = RouteConfiguration.decode(bytes);
  return virtualHosts.flatMap(({ routes }) => routes ?? []).map(({ route }) => route?.weightedClusters?.clusters ?? []);
}

function reweighed(bytes: Uint8Array, weight: number): Uint8Array {
  const config = RouteConfiguration.decode(bytes);
  for (const { routes } of config.virtualHosts) {
    for (const { route } of routes ?? []) {
      for (const [position, cluster] of (route?.weightedClusters?.clusters ?? []).entries()) {
        cluster.weight = { value: position === 0 ? weight : 100 - weight };
      }
    }
  }
  return RouteConfiguration.encode(config).finish();
}
