/**
 * What the mesh does with a request, worked out from the policies alone: a second opinion on what Envoys do with the
 * configuration that was generated from the same snapshot.
 */
import { type ObjectRef, objectKey } from "../lib/mod.ts";
import type { ChainGroup } from "./chain-groups.ts";
import type { Decision, DecisionCandidate, DecisionRequest, Outcome } from "./decision.ts";
import { clustersOf } from "./outbound-ports.ts";
import { scopeRefs } from "./outbound-scope.ts";
import { compareText } from "./precedence.ts";
import { accessRefs, grantRefs, groupsOf, serviceRefs, settingsRefs, splitRefs } from "./provenance.ts";
import type { PodRecord, ServiceProtocol } from "./records.ts";
import { hostNames } from "./resource-names.ts";
import { connectOutcome, requestOutcome } from "./server-decision.ts";
import { type PortModel, portKey, type ServiceModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import { classOf, findClass, isMeshed, type MeshSnapshot } from "./snapshot.ts";
import { allVisiblePorts, findPort, grantsFrom, splitOf, visiblePorts } from "./visible-services.ts";
import type { WorkloadClass } from "./workload-class.ts";

/** What becomes of `request`. Readiness counts as the snapshot has it. */
export function decide(snapshot: MeshSnapshot, request: DecisionRequest): Decision {
  const identity = request.source;
  if (!isMeshed(snapshot, identity.namespace)) {
    return ended(snapshot, request, undefined, `namespace "${identity.namespace}" is not in the mesh`);
  }
  const address = addressOf(snapshot, request);
  const { port } = request.destination;
  const group = groupsOf(snapshot, identity).find((own) => own.port === port && own.addresses.includes(address));
  if (group === undefined)
    return ended(snapshot, request, address, `no Service that it may call is at ${address}:${port}`);
  const claimant = isHttp(group.protocol) ? claimantFor(snapshot, request, group) : group.claimants[0];
  if (claimant === undefined) {
    const reason = `no Service at ${address}:${port} is called "${authorityOf(request)}"`;
    return {
      outcome: "no-route-404",
      reason,
      candidates: [],
      objects: group.claimants.flatMap((own) => serviceRefs(snapshot, own)),
    };
  }
  const candidates = clustersOf(snapshot, claimant)
    .filter(({ weight }) => weight > 0)
    .flatMap(({ cluster, weight }) => candidatesOf(snapshot, request, { claimant, cluster, weight }));
  const outcomes = new Set(candidates.map(({ outcome }) => outcome));
  const [first] = candidates;
  const objects = decidingObjects(snapshot, request, claimant, candidates);
  if (outcomes.size > 1)
    return { outcome: "mixed", reason: "it depends on which endpoint is chosen", candidates, objects };
  return {
    outcome: first?.outcome ?? "unavailable-503",
    reason: first?.reason ?? "there is no endpoint",
    candidates,
    objects,
  };
}

/** What no filter chain of the client takes: it goes on unchanged, and a proxy at the other end refuses it. */
function ended(
  snapshot: MeshSnapshot,
  request: DecisionRequest,
  address: string | undefined,
  reason: string,
): Decision {
  const isPassedOn = address === undefined || snapshot.settings.isEgressEnabled;
  const target = address ?? addressOf(snapshot, request);
  const isMeshEnd = leadsToProxy(snapshot, target, request.destination.port);
  const outcome: Outcome = isPassedOn && !isMeshEnd ? "passthrough" : "refused";
  const detail = !isPassedOn
    ? "egress is off"
    : isMeshEnd
      ? "the pod there takes connections of the mesh only"
      : "it leaves the mesh as it is";
  const objects = [...scopeRefs(snapshot, request.source.namespace), ...settingsRefs(snapshot)];
  return { outcome, reason: `${reason}, and ${detail}`, candidates: [], objects };
}

function addressOf(snapshot: MeshSnapshot, { source, destination }: DecisionRequest): string {
  if ("address" in destination) return destination.address;
  const { host, port } = destination;
  const named = allVisiblePorts(snapshot).find(
    (entry) =>
      entry.port.port === port &&
      hostNames(entry.port, [], {
        ...snapshot.options,
        isSameNamespace: entry.port.namespace === source.namespace,
      }).includes(host),
  );
  return named?.port.addresses[0] ?? host;
}

function authorityOf(request: DecisionRequest): string {
  if (request.authority !== undefined) return request.authority.toLowerCase();
  const { destination } = request;
  return `${"host" in destination ? destination.host : destination.address}:${destination.port}`;
}

function claimantFor(snapshot: MeshSnapshot, request: DecisionRequest, group: ChainGroup): PortModel | undefined {
  const isSameNamespace = group.namespace === request.source.namespace;
  return group.claimants.find((claimant) =>
    hostNames(claimant, [claimant.port], { ...snapshot.options, isSameNamespace }).includes(authorityOf(request)),
  );
}

function candidatesOf(
  snapshot: MeshSnapshot,
  request: DecisionRequest,
  chosen: { readonly claimant: PortModel; readonly cluster: string; readonly weight: number },
): readonly DecisionCandidate[] {
  const { claimant, cluster, weight } = chosen;
  const port = portOfCluster(snapshot, claimant, cluster);
  const service = snapshot.namespaces.get(port.namespace)?.services.get(port.service);
  const isPlain = !isHttp(claimant.protocol);
  const failed = isPlain ? "refused" : "unavailable-503";
  const served = service === undefined ? [] : servedEndpoints(snapshot, request, port, service);
  if (served.length === 0) {
    return [
      { cluster, weight, outcome: failed, reason: `no endpoint of "${cluster}" is ready and open to this client` },
    ];
  }
  const candidates = new Map<string, DecisionCandidate>();
  for (const { account, port: targetPort, pod } of served) {
    const workload = pod === undefined ? undefined : proxiedClass(snapshot, pod);
    const protocol = workload === undefined ? undefined : inboundProtocol(workload, port, targetPort);
    const key = `${account}|${workload?.key}|${targetPort}`;
    if (candidates.has(key)) continue;
    const isKnown = account !== undefined && port.accounts.includes(account);
    const answer =
      workload === undefined || protocol === undefined || !isKnown
        ? ({ outcome: failed, reason: `nobody of the mesh answers at an endpoint of "${cluster}"` } as const)
        : isHttp(protocol)
          ? requestOutcome(snapshot, request, authorityOf(request), { workload, targetPort })
          : connectOutcome(snapshot, request.source, { workload, targetPort });
    candidates.set(key, {
      cluster,
      weight,
      ...(account === undefined ? {} : { serviceAccount: account }),
      outcome: answer.outcome === "refused" ? failed : answer.outcome,
      reason: answer.reason,
    });
  }
  return [...candidates.values()];
}

function proxiedClass(snapshot: MeshSnapshot, pod: PodRecord): WorkloadClass | undefined {
  const classKey = pod.proxyUuid === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
  return classKey === undefined ? undefined : findClass(snapshot, classKey);
}

/** How a pod takes connections that come by this Service port to this port of its own; undefined: not at all. */
function inboundProtocol(workload: WorkloadClass, port: PortModel, targetPort: number): ServiceProtocol | undefined {
  const entry = workload.inbound.find(
    (own) => own.service === port.service && own.host === port.host && own.targetPort === targetPort,
  );
  return entry?.protocol;
}

function portOfCluster(snapshot: MeshSnapshot, claimant: PortModel, cluster: string): PortModel {
  if (claimant.cluster === cluster) return claimant;
  const backends = splitOf(snapshot, claimant)?.backends ?? [];
  for (const backend of backends) {
    const port = findPort(snapshot, portKey({ label: `${claimant.namespace}/${backend}`, port: claimant.port }));
    if (port?.cluster === cluster) return port;
  }
  return claimant;
}

function servedEndpoints(snapshot: MeshSnapshot, request: DecisionRequest, port: PortModel, service: ServiceModel) {
  const { isPermissive } = snapshot.settings;
  const visible = isPermissive
    ? undefined
    : visiblePorts(snapshot, request.source).find((entry) => entry.port === port);
  const accounts = isPermissive ? undefined : (visible?.accounts ?? []);
  const podAt = new Map(service.members.flatMap(({ pod }) => pod.addresses.map((address) => [address, pod] as const)));
  return (service.endpoints.get(port.cluster) ?? [])
    .filter(({ account }) => accounts === undefined || (account !== undefined && accounts.includes(account)))
    .map((endpoint) => ({ ...endpoint, pod: podAt.get(endpoint.address) }));
}

/** Whether a connection to this address ends at a pod with a proxy, directly or through a cluster IP. */
function leadsToProxy(snapshot: MeshSnapshot, address: string, port: number): boolean {
  for (const model of snapshot.namespaces.values()) {
    for (const pod of model.membership.pods.values()) {
      if (pod.proxyUuid !== undefined && !pod.isTerminated && pod.addresses.includes(address)) return true;
    }
    for (const { record, members } of model.services.values()) {
      const isHere = record.clusterIps.includes(address) && record.ports.some((own) => own.port === port);
      if (isHere && members.some(({ pod }) => pod.proxyUuid !== undefined)) return true;
    }
  }
  return false;
}

function decidingObjects(
  snapshot: MeshSnapshot,
  request: DecisionRequest,
  claimant: PortModel,
  candidates: readonly DecisionCandidate[],
): readonly ObjectRef[] {
  const accounts = new Set(candidates.map(({ serviceAccount }) => serviceAccount));
  const grants = snapshot.settings.isPermissive
    ? []
    : grantsFrom(snapshot, request.source).filter(
        (grant) => grant.namespace === claimant.namespace && accounts.has(grant.destination),
      );
  const refs = [
    ...settingsRefs(snapshot),
    ...serviceRefs(snapshot, claimant),
    ...splitRefs(snapshot, claimant),
    ...accessRefs(snapshot, request.source, claimant),
    ...grants.flatMap((grant) => grantRefs(snapshot, grant)),
  ];
  const unique = new Map(refs.map((ref) => [objectKey(ref), ref]));
  return [...unique].sort(([left], [right]) => compareText(left, right)).map(([, ref]) => ref);
}
