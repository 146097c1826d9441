/**
 * A deliberately plain reading of two proxies' views as Envoy would follow them: filter chain, virtual host, cluster,
 * endpoint, and the same on the server's side. Shares nothing with the code that made the views.
 */
import { RE2JS } from "re2js";
import {
  classOf,
  type InboundChain,
  type MeshSnapshot,
  type PodRecord,
  type ProxyView,
  proxyView,
} from "../../src/mesh/mod.ts";
import { resourcesOf } from "./mesh.ts";

export interface SimulatedRequest {
  readonly source: PodRecord;
  readonly address: string;
  readonly port: number;
  readonly authority: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The outcomes that may be seen, one for each cluster and endpoint that could be chosen. Sorted, without repeats. */
export function simulate(
  snapshot: MeshSnapshot,
  pods: readonly PodRecord[],
  request: SimulatedRequest,
): readonly string[] {
  const view = viewOf(snapshot, request.source);
  const listener = resourcesOf(view, "outbound-listener")[0];
  const chain = listener?.chains.find((own) => own.port === request.port && own.addresses.includes(request.address));
  const isRefused = listener?.refused.some(
    (match) => match.port === request.port && match.addresses.includes(request.address),
  );
  if (isRefused) return ["refused"];
  if (chain === undefined) {
    const isMeshPod = pods.some(
      ({ addresses, proxyUuid }) => proxyUuid !== undefined && addresses.includes(request.address),
    );
    return [listener?.isEgressEnabled === true && !isMeshPod ? "passthrough" : "refused"];
  }
  const route = resourcesOf(view, "outbound-route").find(({ name }) => name === chain.route);
  const host = route?.virtualHosts.find(({ domains }) => domains.includes(request.authority));
  if (chain.route !== undefined && host === undefined) return ["no-route-404"];
  const isHttp = chain.route !== undefined;
  const clusters = (isHttp ? host?.clusters : chain.clusters) ?? [];
  const outcomes = clusters
    .filter(({ weight }) => weight > 0)
    .flatMap(({ cluster }) => clusterOutcomes({ snapshot, pods, request, view, cluster, isHttp }));
  return [...new Set(outcomes)].sort();
}

function viewOf(snapshot: MeshSnapshot, pod: PodRecord): ProxyView {
  return proxyView(snapshot, classOf(snapshot, pod.namespace, pod.name) ?? "");
}

interface Attempt {
  readonly snapshot: MeshSnapshot;
  readonly pods: readonly PodRecord[];
  readonly request: SimulatedRequest;
  readonly view: ProxyView;
  readonly cluster: string;
  readonly isHttp: boolean;
}

function clusterOutcomes(attempt: Attempt): readonly string[] {
  const failed = attempt.isHttp ? "unavailable-503" : "refused";
  const cluster = resourcesOf(attempt.view, "upstream-cluster").find(({ name }) => name === attempt.cluster);
  const assigned = resourcesOf(attempt.view, "endpoints").find(({ name }) => name === attempt.cluster);
  if (cluster === undefined || assigned === undefined || assigned.endpoints.length === 0) return [failed];
  return assigned.endpoints.map(({ address, port }) => {
    const server = attempt.pods.find(
      ({ addresses, proxyUuid }) => proxyUuid !== undefined && addresses.includes(address),
    );
    if (server === undefined || classOf(attempt.snapshot, server.namespace, server.name) === undefined) return failed;
    if (!cluster.serverSans.includes(nameOf(server))) return failed;
    const outcome = serverOutcome(viewOf(attempt.snapshot, server), { port, sni: cluster.sni }, attempt.request);
    return outcome === "refused" ? failed : outcome;
  });
}

function nameOf(pod: PodRecord): string {
  return `${pod.serviceAccount}.${pod.namespace}.cluster.local`;
}

function serverOutcome(
  view: ProxyView,
  end: { readonly port: number; readonly sni: string },
  request: SimulatedRequest,
): string {
  const chain = resourcesOf(view, "inbound-listener")[0]?.chains.find(
    ({ port, serverNames }) => port === end.port && serverNames.includes(end.sni),
  );
  if (chain === undefined || !mayConnect(chain, nameOf(request.source), end.port)) return "refused";
  if (chain.route === undefined) return "allowed";
  const config = resourcesOf(view, "inbound-route").find(({ name }) => name === chain.route);
  const host = config?.virtualHosts.find(({ domains }) => domains.includes(request.authority));
  const route = host?.routes.find(
    ({ pathRegex, method, headers }) =>
      (method === "*" || method === request.method) &&
      RE2JS.matches(pathRegex, request.path) &&
      headers.every(({ name, regex }) => {
        const value = name === "host" ? request.authority : request.headers[name];
        return value !== undefined && RE2JS.matches(regex, value);
      }),
  );
  if (route === undefined) return "no-route-404";
  return route.principals?.includes(nameOf(request.source)) === false ? "denied-403" : "allowed";
}

function mayConnect(chain: InboundChain, client: string, port: number): boolean {
  if (chain.policies === undefined) return true;
  return chain.policies.some(
    ({ principals, ports }) => principals.includes(client) && (ports.length === 0 || ports.includes(port)),
  );
}
