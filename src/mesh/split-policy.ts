import type { Rejection } from "../lib/mod.ts";
import { parseApexName } from "./apex-name.ts";
import { keepIfSame, keepSameValues, sameElements } from "./content-equality.ts";
import { comparePrecedence } from "./precedence.ts";
import type { TrafficSplitRecord } from "./records.ts";
import { type HostParts, serviceLabel } from "./resource-names.ts";
import type { PortModel, ServiceModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { WeightedCluster } from "./view.ts";

/** What a TrafficSplit makes of one port of its apex. */
export interface PortSplit {
  /** `namespace/name` of the TrafficSplit. */
  readonly split: string;
  /** Sorted by cluster; a plain TCP port has no zero weights. Never empty, never all zero. */
  readonly clusters: readonly WeightedCluster[];
  /** Backend Services, those with weight 0 included. */
  readonly backends: readonly string[];
  /** The shares are said by a route configuration; else by a listener. */
  readonly isRouted: boolean;
}

/** What of a split is not said by a route configuration. */
export type SplitLayout = Pick<PortSplit, "backends"> & Partial<Pick<PortSplit, "clusters">>;

export interface SplitPolicy {
  /** By `portKey` of the apex. */
  readonly byApex: ReadonlyMap<string, PortSplit>;
  /** For each of them what remains when routes are left aside: as before when only shares of requests differ. */
  readonly layouts: ReadonlyMap<string, SplitLayout>;
  /** Apexes of which a port is a backend, by `portKey` of the backend: `portKey`s in order. */
  readonly apexesByBackend: ReadonlyMap<string, readonly string[]>;
  readonly rejections: readonly Rejection[];
  readonly inputs: readonly unknown[];
}

interface SplitContext {
  readonly namespace: string;
  readonly clusterDomain: string;
  readonly namespaceNames: ReadonlyMap<string, unknown>;
  readonly services: ReadonlyMap<string, ServiceModel>;
  /** Of all Services; the same list while none differs. */
  readonly ports: readonly PortModel[];
}

/** Resolves the TrafficSplits of one namespace against its Services. */
export function splitPolicy(
  splits: ReadonlyMap<string, TrafficSplitRecord>,
  context: SplitContext,
  previous?: SplitPolicy,
): SplitPolicy {
  const inputs = [splits, context.namespaceNames, context.ports];
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const byApex = new Map<string, PortSplit>();
  const rejections: Rejection[] = [];
  const winners = new Map<string, TrafficSplitRecord>();
  for (const split of [...splits.values()].sort(comparePrecedence)) {
    const apex = apexOf(split, context);
    if ("reason" in apex) {
      rejections.push(apex);
      continue;
    }
    const label = serviceLabel(apex.namespace, apex.service, apex.host);
    const winner = winners.get(label);
    if (winner !== undefined) {
      rejections.push(conflict(split, winner));
      continue;
    }
    winners.set(label, split);
    const resolved = resolveSplit(split, apex, context);
    rejections.push(...resolved.rejections);
    for (const [key, portSplit] of resolved.byPort) byApex.set(key, portSplit);
  }
  return {
    byApex: keepSameValues(previous?.byApex, byApex),
    layouts: keepSameValues(previous?.layouts, layoutsOf(byApex)),
    apexesByBackend: keepIfSame(previous?.apexesByBackend, backendIndex(byApex, context)),
    rejections: keepIfSame(previous?.rejections, rejections),
    inputs,
  };
}

function apexOf(split: TrafficSplitRecord, context: SplitContext): HostParts | Rejection {
  const rejected = { ...split.ref, strength: "object", field: "spec.service" } as const;
  const apex = parseApexName(split.service, split, {
    clusterDomain: context.clusterDomain,
    isNamespace: (name) => context.namespaceNames.has(name),
  });
  if (apex === undefined) {
    return {
      ...rejected,
      reason: "apex-invalid",
      message: `"${split.service}" is no name of a Service: write NAME, NAME.NAMESPACE or NAME.NAMESPACE.svc.${context.clusterDomain}.`,
    };
  }
  if (apex.namespace !== split.namespace) {
    return {
      ...rejected,
      reason: "apex-namespace",
      message: `"${split.service}" lies in namespace "${apex.namespace}": a TrafficSplit splits a Service of its own namespace "${split.namespace}". Move the TrafficSplit there.`,
    };
  }
  return apex;
}

function conflict(split: TrafficSplitRecord, winner: TrafficSplitRecord): Rejection {
  return {
    ...split.ref,
    strength: "object",
    field: "spec.service",
    reason: "apex-conflict",
    message: `TrafficSplit "${winner.namespace}/${winner.name}" splits the same Service and comes first (older, then by name). Merge the two or delete one.`,
  };
}

function resolveSplit(
  split: TrafficSplitRecord,
  apex: HostParts,
  context: SplitContext,
): { readonly byPort: ReadonlyMap<string, PortSplit>; readonly rejections: readonly Rejection[] } {
  const byPort = new Map<string, PortSplit>();
  const rejections: Rejection[] = [];
  const part = (field: string, reason: string, message: string) =>
    rejections.push({ ...split.ref, strength: "part", field, reason, message });
  const apexPorts = portsOf(context.services.get(apex.service), apex.host);
  if (apexPorts.length === 0) {
    part(
      "spec.service",
      "apex-missing",
      `There is no Service port of the mesh behind "${split.service}" yet. Create the Service or correct the name.`,
    );
  }
  split.backends.forEach((backend, position) => {
    const model = context.services.get(backend.service);
    const field = `spec.backends[${position}].service`;
    if (model === undefined) {
      part(
        field,
        "backend-missing",
        `There is no Service "${split.namespace}/${backend.service}". Create it or remove the backend.`,
      );
      return;
    }
    const missing = apexPorts.find(({ port }) => !portsOf(model).some((own) => own.port === port));
    if (missing === undefined) return;
    part(
      field,
      "backend-port-missing",
      `Service "${split.namespace}/${backend.service}" has no port ${missing.port}, which "${split.service}" has; it gets no share of that port. Add the port to the backend.`,
    );
  });
  for (const apexPort of apexPorts) {
    const portSplit = splitOfPort(split, apexPort, context);
    if (portSplit !== undefined) byPort.set(apexPort.key, portSplit);
  }
  return { byPort, rejections };
}

function portsOf(model: ServiceModel | undefined, host?: string): readonly PortModel[] {
  return model === undefined ? [] : model.ports.filter((port) => port.host === host);
}

/** Undefined when no backend with a weight remains: the port is then as if not split. */
function splitOfPort(split: TrafficSplitRecord, apexPort: PortModel, context: SplitContext): PortSplit | undefined {
  const weights = new Map<string, number>();
  const backends = new Set<string>();
  for (const { service, weight } of split.backends) {
    const port = portsOf(context.services.get(service)).find((own) => own.port === apexPort.port);
    if (port === undefined) continue;
    backends.add(service);
    if (weight > 0 || isHttp(apexPort.protocol)) weights.set(port.cluster, (weights.get(port.cluster) ?? 0) + weight);
  }
  if (![...weights.values()].some((weight) => weight > 0)) return undefined;
  return {
    split: `${split.namespace}/${split.name}`,
    clusters: [...weights]
      .map(([cluster, weight]) => ({ cluster, weight }))
      .sort((left, right) => (left.cluster < right.cluster ? -1 : 1)),
    backends: [...backends].sort(),
    isRouted: isHttp(apexPort.protocol),
  };
}

function layoutsOf(byApex: ReadonlyMap<string, PortSplit>): Map<string, SplitLayout> {
  const layouts = new Map<string, SplitLayout>();
  for (const [key, { backends, clusters, isRouted }] of byApex) {
    layouts.set(key, isRouted ? { backends } : { backends, clusters });
  }
  return layouts;
}

function backendIndex(
  byApex: ReadonlyMap<string, PortSplit>,
  context: SplitContext,
): ReadonlyMap<string, readonly string[]> {
  const apexes = new Map<string, string[]>();
  for (const [apexKey, { backends }] of byApex) {
    const port = Number(apexKey.slice(apexKey.lastIndexOf("|") + 1));
    for (const service of backends) {
      for (const backend of portsOf(context.services.get(service))) {
        if (backend.port !== port) continue;
        const key = backend.key;
        const list = apexes.get(key) ?? [];
        list.push(apexKey);
        apexes.set(key, list.sort());
      }
    }
  }
  return apexes;
}
