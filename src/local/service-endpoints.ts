import { isIPv4 } from "node:net";
import type { KubeObject } from "../kube/objects.ts";
import type { NamedService } from "./dns-zone.ts";
import type { RoutedService } from "./service-rules.ts";
import type { LocalService } from "./services.ts";

interface Backend {
  readonly address: string;
  readonly hostname?: string;
  /** Port number by port name of the Service. */
  readonly ports: ReadonlyMap<string, number>;
}

/** Ready endpoints of every Service, by `namespace/name`. */
export type ReadyEndpoints = ReadonlyMap<string, readonly Backend[]>;

/**
 * What EndpointSlices and Endpoints, derived or written by hand, say about who is ready. Anything misshapen counts as
 * absent: the control plane, which reads the same objects, reports it.
 */
export function readyEndpoints(objects: Iterable<KubeObject>): ReadyEndpoints {
  const endpoints = new Map<string, Backend[]>();
  const add = (key: string, backends: readonly Backend[]) => {
    endpoints.set(key, [...(endpoints.get(key) ?? []), ...backends]);
  };
  for (const object of objects) {
    const namespace = object.metadata.namespace ?? "default";
    if (object.kind === "EndpointSlice") {
      const service = object.metadata.labels?.["kubernetes.io/service-name"];
      if (service !== undefined) add(`${namespace}/${service}`, sliceBackends(object));
    } else if (object.kind === "Endpoints") {
      const subsets = mappings(object.subsets);
      add(
        `${namespace}/${object.metadata.name}`,
        subsets.flatMap((subset) => subsetBackends(subset)),
      );
    }
  }
  return endpoints;
}

type Mapping = Readonly<Record<string, unknown>>;

function mappings(value: unknown): readonly Mapping[] {
  return Array.isArray(value) ? value.filter((each): each is Mapping => each !== null && typeof each === "object") : [];
}

function sliceBackends(slice: KubeObject): Backend[] {
  const ports = portNumbers(slice.ports);
  return mappings(slice.endpoints).flatMap(({ addresses, conditions, hostname }) => {
    if ((conditions as { ready?: unknown } | undefined)?.ready === false) return [];
    const all = Array.isArray(addresses) ? addresses.filter(isAddress) : [];
    return all.map((address) => ({ address, ports, ...(typeof hostname === "string" ? { hostname } : {}) }));
  });
}

function subsetBackends(subset: Mapping): Backend[] {
  const ports = portNumbers(subset.ports);
  return mappings(subset.addresses).flatMap(({ ip, hostname }) =>
    isAddress(ip) ? [{ address: ip, ports, ...(typeof hostname === "string" ? { hostname } : {}) }] : [],
  );
}

/** Pods have IPv4 alone; what else stands in a slice would make iptables refuse the rules of all Services. */
function isAddress(value: unknown): value is string {
  return typeof value === "string" && isIPv4(value);
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

function portNumbers(value: unknown): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const { name, port } of mappings(value)) {
    if (isPort(port)) numbers.set(typeof name === "string" ? name : "", port);
  }
  return numbers;
}

/** The Services that have a cluster IP, for the hub's packets. */
export function routedServices(
  services: readonly LocalService[],
  clusterIps: ReadonlyMap<string, string>,
  endpoints: ReadyEndpoints,
): RoutedService[] {
  return services.flatMap(({ namespace, name, ports }) => {
    const key = `${namespace}/${name}`;
    const clusterIp = clusterIps.get(key);
    if (clusterIp === undefined) return [];
    const routed = ports.flatMap((port) => {
      if (port.protocol === "SCTP") return [];
      const backends = (endpoints.get(key) ?? []).flatMap((backend) => {
        const number = backend.ports.get(port.name);
        return number === undefined ? [] : [{ address: backend.address, port: number }];
      });
      return [{ protocol: port.protocol, port: port.port, endpoints: backends }];
    });
    return [{ namespace, name, clusterIp, ports: routed }];
  });
}

/** The same Services for cluster DNS, headless ones included. */
export function namedServices(
  services: readonly LocalService[],
  clusterIps: ReadonlyMap<string, string>,
  endpoints: ReadyEndpoints,
): NamedService[] {
  return services.flatMap(({ namespace, name, type, clusterIp: declared }) => {
    const key = `${namespace}/${name}`;
    const clusterIp = clusterIps.get(key);
    if (type === "ExternalName" || (clusterIp === undefined && declared !== "None")) return [];
    return [
      { namespace, name, endpoints: endpoints.get(key) ?? [], ...(clusterIp === undefined ? {} : { clusterIp }) },
    ];
  });
}
