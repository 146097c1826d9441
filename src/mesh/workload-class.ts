import { contentHash, type Steps } from "../lib/mod.ts";
import type { Membership } from "./membership.ts";
import { compareText } from "./precedence.ts";
import type { PodRecord, ServiceProtocol } from "./records.ts";
import { type Member, servicePortKey } from "./service-members.ts";
import type { PortModel, ServiceModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { ViewMemory } from "./view-memory.ts";

/** A Service port, or a pod host's port, that leads to a port of the workload. */
export interface InboundPort {
  readonly service: string;
  readonly host?: string;
  /** Port of the Service. */
  readonly port: number;
  /** Port of the pod. */
  readonly targetPort: number;
  readonly protocol: ServiceProtocol;
}

/** Everything about a pod that its configuration depends on. Pods that agree in it share one view. */
export interface WorkloadClass {
  /** `<namespace>/<service account>/<hash>`. */
  readonly key: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly isScraped: boolean;
  /** In a fixed order. */
  readonly inbound: readonly InboundPort[];
}

/** The classes of the pods of one namespace. */
export interface WorkloadClasses {
  readonly classes: ReadonlyMap<string, WorkloadClass>;
  /** Class key by pod name. */
  readonly classByPod: ReadonlyMap<string, string>;
}

/** The classes of a namespace's pods, in steps. */
export function* workloadClasses(
  membership: Membership,
  services: ReadonlyMap<string, ServiceModel>,
  previous?: WorkloadClasses,
): Steps<WorkloadClasses> {
  const inboundByPod = new Map<PodRecord, InboundPort[]>();
  for (const model of services.values()) {
    yield;
    for (const member of model.members) {
      const known = inboundByPod.get(member.pod);
      if (known === undefined) inboundByPod.set(member.pod, inboundPorts(model, member));
      else known.push(...inboundPorts(model, member));
    }
  }
  const classes = new Map<string, WorkloadClass>();
  const classByPod = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const pod of membership.pods.values()) {
    yield;
    const inbound = (inboundByPod.get(pod) ?? []).map((port) => ({ port, text: textOf(port) })).sort(compareTexts);
    const text = `${pod.serviceAccount} ${pod.isScraped} ${inbound.map((entry) => entry.text).join(" ")}`;
    let key = keys.get(text);
    if (key === undefined) {
      key = `${pod.namespace}/${pod.serviceAccount}/${contentHash(text).slice(0, 16)}`;
      keys.set(text, key);
      classes.set(
        key,
        previous?.classes.get(key) ??
          makeClass(
            pod,
            key,
            inbound.map((entry) => entry.port),
          ),
      );
    }
    classByPod.set(pod.name, key);
  }
  return { classes: keepSameMap(previous?.classes, classes), classByPod };
}

function keepSameMap<V>(previous: ReadonlyMap<string, V> | undefined, next: ReadonlyMap<string, V>) {
  if (previous?.size !== next.size) return next;
  for (const [key, value] of next) if (previous.get(key) !== value) return next;
  return previous;
}

/** Keys and identities `<namespace>/<service account>` of these classes. */
export function ownersAmong(classes: WorkloadClasses["classes"], memory: ViewMemory): ReadonlySet<string> {
  return memory.index(classes, () => {
    const owners = new Set<string>();
    for (const { key, namespace, serviceAccount } of classes.values())
      owners.add(key).add(`${namespace}/${serviceAccount}`);
    return owners;
  });
}

function compareTexts(left: { readonly text: string }, right: { readonly text: string }): number {
  return compareText(left.text, right.text);
}

/** All of an inbound port, with a character between that none of its parts can hold. */
function textOf({ service, host, port, targetPort, protocol }: InboundPort): string {
  return `${service}|${host ?? ""}|${port}|${targetPort}|${protocol}`;
}

function makeClass(pod: PodRecord, key: string, inbound: readonly InboundPort[]): WorkloadClass {
  return { key, namespace: pod.namespace, serviceAccount: pod.serviceAccount, isScraped: pod.isScraped, inbound };
}

/** A port that another one of the Service keeps off this pod (same target port, other kind of protocol) is left out. */
function inboundPorts(model: ServiceModel, member: Member): InboundPort[] {
  const inbound: InboundPort[] = [];
  for (const accepted of model.ports) {
    if (accepted.host !== undefined) continue;
    for (const targetPort of member.targetPorts.get(servicePortKey(accepted)) ?? []) {
      const hasRival = inbound.some(
        (other) => other.targetPort === targetPort && isHttp(other.protocol) !== isHttp(accepted.protocol),
      );
      if (!hasRival) inbound.push(inboundPort(accepted, targetPort));
    }
  }
  const { host } = member;
  return host === undefined ? inbound : inbound.flatMap((entry) => [entry, { ...entry, host }]);
}

function inboundPort(accepted: PortModel, targetPort: number): InboundPort {
  return { service: accepted.service, port: accepted.port, targetPort, protocol: accepted.protocol };
}
