import { type ProxyStatus, RESOURCE_TYPES, type ResourceType, type TypeStatus } from "../admin/mod.ts";
import type { ObjectRef, Steps } from "../lib/mod.ts";
import { isMeshed, type MeshSnapshot, type PodRecord } from "../mesh/mod.ts";
import type { StreamDelivery } from "../push/mod.ts";
import { TYPE_URLS, type TypeUrl } from "../xds/mod.ts";

/** What is known of a pod beside its record. */
export interface PodReadiness {
  readonly isReady: boolean;
  readonly reason: string;
}

export interface ProxyStatusInput {
  readonly snapshot: MeshSnapshot;
  readonly pods: readonly PodRecord[];
  readonly readinessOf: (namespace: string, pod: string) => PodReadiness;
  readonly streams: readonly StreamDelivery[];
  /** Objects that a resource of this pod was made of. */
  readonly objectsOf: (pod: PodRecord, typeUrl: TypeUrl, resource: string) => readonly ObjectRef[];
}

const TYPES: Readonly<Record<ResourceType, TypeUrl>> = {
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoints,
  lds: TYPE_URLS.listener,
  rds: TYPE_URLS.route,
  sds: TYPE_URLS.secret,
};

/** One entry per pod, in order of namespace and name, in steps; of several streams of one proxy the newest counts. */
export function* proxyStatuses(input: ProxyStatusInput): Steps<readonly ProxyStatus[]> {
  const streamByUuid = new Map<string, StreamDelivery>();
  for (const stream of input.streams) {
    const other = streamByUuid.get(stream.peer.uuid);
    if (other === undefined || other.connectedAtMs <= stream.connectedAtMs) streamByUuid.set(stream.peer.uuid, stream);
  }
  const inOrder = [...input.pods].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
  const statuses: ProxyStatus[] = [];
  for (const pod of inOrder) {
    statuses.push(statusOf(pod, pod.proxyUuid === undefined ? undefined : streamByUuid.get(pod.proxyUuid), input));
    yield;
  }
  return statuses;
}

function statusOf(pod: PodRecord, stream: StreamDelivery | undefined, input: ProxyStatusInput): ProxyStatus {
  const { isReady, reason } = input.readinessOf(pod.namespace, pod.name);
  return {
    namespace: pod.namespace,
    pod: pod.name,
    serviceAccount: pod.serviceAccount,
    uuid: isMeshed(input.snapshot, pod.namespace) ? (pod.proxyUuid ?? "") : "",
    isPodReady: isReady,
    reason,
    address: pod.addresses[0] ?? "",
    isConnected: stream !== undefined,
    connectedAt: stream === undefined ? "" : new Date(stream.connectedAtMs).toISOString(),
    protocol: stream?.protocol ?? "",
    types: stream === undefined ? {} : typeStatuses(stream, pod, input),
  };
}

function typeStatuses(
  stream: StreamDelivery,
  pod: PodRecord,
  input: ProxyStatusInput,
): Readonly<Partial<Record<ResourceType, TypeStatus>>> {
  const shown: Partial<Record<ResourceType, TypeStatus>> = {};
  for (const type of RESOURCE_TYPES) {
    const delivery = stream.types.get(TYPES[type]);
    if (delivery === undefined) continue;
    const { sent, acknowledged, refused } = delivery;
    if (refused === undefined) {
      shown[type] = { sent, acknowledged };
      continue;
    }
    const objects = new Set(refused.names.flatMap((name) => input.objectsOf(pod, TYPES[type], name).map(describeRef)));
    shown[type] = {
      sent,
      acknowledged,
      refused: {
        detail: refused.message,
        resources: refused.names,
        objects: [...objects].sort(),
        at: new Date(refused.atMs).toISOString(),
      },
    };
  }
  return shown;
}

/** `Kind namespace/name (file:line)`; only the place when a file could not be read as far as naming an object. */
export function describeRef({ kind, namespace, name, file, line }: ObjectRef): string {
  const place = file === undefined || file === "" ? "" : `${file}${line === undefined ? "" : `:${line}`}`;
  if (kind === "") return place;
  const object = `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
  return place === "" ? object : `${object} (${place})`;
}

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
