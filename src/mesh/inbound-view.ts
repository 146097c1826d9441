import { ANY_ROUTE, type GrantedRoute, grantedRoutes } from "./inbound-routes.ts";
import { compareText } from "./precedence.ts";
import {
  fullyQualifiedName,
  type HostParts,
  hostNames,
  inboundChainName,
  inboundRouteName,
  localClusterName,
  principalName,
  serviceLabel,
} from "./resource-names.ts";
import { portKey } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type {
  Identity,
  InboundChain,
  InboundRouteView,
  InboundVirtualHost,
  LocalClusterView,
  NetworkPolicy,
  ResourceView,
} from "./view.ts";
import { findPort, grantsTo, opensTcpPort } from "./visible-services.ts";
import type { InboundPort, WorkloadClass } from "./workload-class.ts";

/** A host name that a target port answers to, and the Service ports under which clients may write it. */
export interface InboundHost {
  readonly parts: HostParts;
  readonly label: string;
  readonly fqdn: string;
  readonly ports: readonly number[];
}

/** Listener, local clusters and routes by which workloads of this class are called. */
export function inboundResources(snapshot: MeshSnapshot, workload: WorkloadClass): readonly ResourceView[] {
  const resources: ResourceView[] = [];
  const { tls } = snapshot.settings;
  const chains = inboundChains(snapshot, workload);
  if (chains.length > 0) resources.push({ kind: "inbound-listener", name: "inbound-listener", chains, tls });
  if (workload.isScraped) {
    resources.push({ kind: "metrics-listener", name: "inbound-prometheus-listener" });
    resources.push({ kind: "metrics-cluster", name: "envoy-metrics-cluster" });
  }
  const locals = new Map<string, LocalClusterView>();
  const addLocal = (label: string, port: number) => {
    const name = localClusterName(label, port);
    locals.set(name, { kind: "local-cluster", name, port });
  };
  for (const { label, port } of plainPorts(workload)) addLocal(label, port);
  const routes: InboundRouteView[] = [];
  for (const targetPort of httpTargetPorts(workload)) {
    const hosts = inboundHosts(snapshot, workload, targetPort);
    for (const { label } of hosts) addLocal(label, targetPort);
    routes.push(inboundRouteView(snapshot, workload, targetPort, hosts));
  }
  return [...resources, ...[...locals.values()].sort((left, right) => compareText(left.name, right.name)), ...routes];
}

/** The routes of every HTTP port of this identity, whatever its Services. */
export function routesTo(snapshot: MeshSnapshot, identity: Identity): readonly GrantedRoute[] {
  if (snapshot.settings.isPermissive) return [ANY_ROUTE];
  const grants = grantsTo(snapshot, identity);
  return snapshot.memory.rememberFor(`${identity.namespace}/${identity.serviceAccount}`, "routes-to", grants, () =>
    grantedRoutes(grants, snapshot.options.trustDomain),
  );
}

function labelOf(workload: WorkloadClass, entry: InboundPort): string {
  return serviceLabel(workload.namespace, entry.service, entry.host);
}

function plainPorts(workload: WorkloadClass): readonly { readonly label: string; readonly port: number }[] {
  return workload.inbound
    .filter(({ protocol }) => !isHttp(protocol))
    .map((entry) => ({ label: labelOf(workload, entry), port: entry.targetPort }));
}

function httpTargetPorts(workload: WorkloadClass): readonly number[] {
  const ports = workload.inbound.filter(({ protocol }) => isHttp(protocol)).map(({ targetPort }) => targetPort);
  return [...new Set(ports)].sort((left, right) => left - right);
}

/** One chain for each target port and server name: several Service ports that lead to one target port share it. */
function inboundChains(snapshot: MeshSnapshot, workload: WorkloadClass): readonly InboundChain[] {
  const chains = new Map<string, InboundChain>();
  for (const entry of workload.inbound) {
    const label = labelOf(workload, entry);
    const key = `${label}|${entry.targetPort}`;
    if (!chains.has(key)) chains.set(key, inboundChain(snapshot, workload, entry, label));
  }
  return [...chains.values()].sort((left, right) => compareText(left.name, right.name));
}

function inboundChain(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  entry: InboundPort,
  label: string,
): InboundChain {
  const { targetPort, protocol } = entry;
  const parts = partsOf(workload.namespace, entry);
  const chain = {
    name: inboundChainName(label, targetPort, protocol),
    port: targetPort,
    serverNames: [fullyQualifiedName(parts, snapshot.options.clusterDomain)],
  };
  if (isHttp(protocol)) return { ...chain, route: inboundRouteName(targetPort) };
  const cluster = localClusterName(label, targetPort);
  if (snapshot.settings.isPermissive) return { ...chain, cluster };
  return { ...chain, cluster, policies: networkPolicies(snapshot, workload, targetPort) };
}

function partsOf(namespace: string, entry: { readonly service: string; readonly host?: string }): HostParts {
  return { namespace, service: entry.service, ...(entry.host === undefined ? {} : { host: entry.host }) };
}

function networkPolicies(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  targetPort: number,
): readonly NetworkPolicy[] {
  return grantsTo(snapshot, workload)
    .filter((grant) => grant.sources.length > 0 && opensTcpPort(grant, targetPort))
    .map((grant) => ({
      name: `${grant.namespace}/${grant.name}`,
      principals: [
        ...new Set(grant.sources.map((source) => principalName(source, snapshot.options.trustDomain))),
      ].sort(),
      ports: grant.tcp === "any" ? [] : [targetPort],
    }))
    .sort((left, right) => compareText(left.name, right.name));
}

/**
 * The names that an HTTP target port of this class answers to: its own Services and pod hosts, and the apexes of splits
 * of which one of those Services is a backend, since a split leaves the request's host as it was.
 */
export function inboundHosts(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  targetPort: number,
): readonly InboundHost[] {
  const hosts = new Map<string, { readonly parts: HostParts; readonly ports: Set<number> }>();
  const add = (label: string, parts: HostParts, port: number) => {
    const host = hosts.get(label) ?? { parts, ports: new Set() };
    hosts.set(label, host);
    host.ports.add(port);
  };
  const apexes = snapshot.namespaces.get(workload.namespace)?.splits.apexesByBackend;
  for (const entry of workload.inbound) {
    if (entry.targetPort !== targetPort || !isHttp(entry.protocol)) continue;
    const label = labelOf(workload, entry);
    add(label, partsOf(workload.namespace, entry), entry.port);
    for (const apexKey of apexes?.get(portKey({ label, port: entry.port })) ?? []) {
      const apex = findPort(snapshot, apexKey);
      if (apex !== undefined) add(apex.label, apex, apex.port);
    }
  }
  return [...hosts]
    .map(([label, { parts, ports }]) => ({
      parts,
      label,
      fqdn: fullyQualifiedName(parts, snapshot.options.clusterDomain),
      ports: [...ports].sort((left, right) => left - right),
    }))
    .sort(compareHosts);
}

/** Whole Services before their pods, so that a name that both could mean is the Service's. */
function compareHosts(left: InboundHost, right: InboundHost): number {
  const isHost = (host: InboundHost) => Number(host.parts.host !== undefined);
  return isHost(left) - isHost(right) || compareText(left.fqdn, right.fqdn);
}

function inboundRouteView(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  targetPort: number,
  hosts: readonly InboundHost[],
): InboundRouteView {
  const routes = routesTo(snapshot, workload);
  const taken = new Set<string>();
  const virtualHosts: InboundVirtualHost[] = [];
  for (const { parts, label, fqdn, ports } of hosts) {
    const names = hostNames(parts, ports, { ...snapshot.options, isSameNamespace: true });
    const domains = names.filter((domain) => !taken.has(domain));
    for (const domain of domains) taken.add(domain);
    if (domains.length === 0) continue;
    const cluster = localClusterName(label, targetPort);
    virtualHosts.push({
      name: `inbound_virtual-host|${fqdn}`,
      domains,
      routes: routes.map((route) => ({ ...route, cluster })),
    });
  }
  return { kind: "inbound-route", name: inboundRouteName(targetPort), virtualHosts };
}
