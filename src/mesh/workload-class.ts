import { canonicalJson, contentHash } from "../lib/mod.ts";
import type { Membership } from "./membership.ts";
import type { PodRecord, ServiceProtocol } from "./records.ts";
import { serviceLabel } from "./resource-names.ts";
import { isHttp, type Member, type PortModel, type ServiceModel, servicePortKey } from "./service-model.ts";

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
  /** Sorted by label, then port. */
  readonly inbound: readonly InboundPort[];
}

/** The classes of the pods of one namespace. */
export interface WorkloadClasses {
  readonly classes: ReadonlyMap<string, WorkloadClass>;
  /** Class key by pod name. */
  readonly classByPod: ReadonlyMap<string, string>;
}

export function workloadClasses(
  membership: Membership,
  services: ReadonlyMap<string, ServiceModel>,
  previous?: WorkloadClasses,
): WorkloadClasses {
  const inboundByPod = new Map<string, InboundPort[]>();
  for (const model of services.values()) {
    for (const member of model.members) {
      const known = inboundByPod.get(member.pod.name);
      const added = inboundPorts(model, member);
      if (known === undefined) inboundByPod.set(member.pod.name, added);
      else known.push(...added);
    }
  }
  const classes = new Map<string, WorkloadClass>();
  const classByPod = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const pod of membership.pods.values()) {
    const content = classContent(pod, inboundByPod.get(pod.name) ?? []);
    const text = canonicalJson(content);
    const key = keys.get(text) ?? `${pod.namespace}/${pod.serviceAccount}/${contentHash(text).slice(0, 16)}`;
    keys.set(text, key);
    classByPod.set(pod.name, key);
    if (!classes.has(key)) classes.set(key, previous?.classes.get(key) ?? { key, ...content });
  }
  return { classes, classByPod };
}

function classContent(pod: PodRecord, inbound: readonly InboundPort[]): Omit<WorkloadClass, "key"> {
  const position = (entry: InboundPort) =>
    `${serviceLabel("", entry.service, entry.host)}|${entry.port}|${entry.targetPort}`;
  return {
    namespace: pod.namespace,
    serviceAccount: pod.serviceAccount,
    isScraped: pod.isScraped,
    inbound: [...inbound].sort((left, right) => (position(left) < position(right) ? -1 : 1)),
  };
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
