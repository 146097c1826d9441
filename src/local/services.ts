import { isIPv4 } from "node:net";
import type { KubeObject } from "../kube/objects.ts";
import type { Shape, ShapeProblem } from "./shape.ts";
import { readShape } from "./shape.ts";

export interface LocalServicePort {
  /** Empty when unnamed. */
  readonly name: string;
  readonly port: number;
  readonly targetPort: number | string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly appProtocol?: string;
}

/** What endpoints, addresses and names of a Service are made from. */
export interface LocalService {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** `None`: headless. Empty: one is to be allocated. */
  readonly clusterIp: string;
  /** Undefined: endpoints are written by hand. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly LocalServicePort[];
  readonly publishNotReadyAddresses: boolean;
  readonly createdAt: string;
  /** ExternalName alone. */
  readonly externalName?: string;
}

const protocols: readonly string[] = ["TCP", "UDP", "SCTP"];

const shape: Shape = {
  fields: {
    type: "string",
    clusterIP: "string",
    externalName: "string",
    selector: { map: "string" },
    publishNotReadyAddresses: "boolean",
    ports: {
      list: {
        fields: {
          name: "string",
          port: "port",
          targetPort: "port-or-name",
          protocol: "string",
          appProtocol: "string",
        },
        required: ["port"],
      },
    },
  },
};

interface ServiceSpec {
  readonly type?: LocalService["type"];
  readonly clusterIP?: string;
  readonly externalName?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly publishNotReadyAddresses?: boolean;
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly targetPort?: number | string;
    readonly protocol?: LocalServicePort["protocol"];
    readonly appProtocol?: string;
  }[];
}

/**
 * Reads a Service with the defaults of core/v1. Undefined when it has none of these shapes: then it gets no address and
 * no endpoints, and the control plane, which is given the object as it stands, reports what is wrong with it.
 */
export function readService(object: KubeObject): LocalService | undefined {
  const problems: ShapeProblem[] = [];
  const spec = readShape(object.spec ?? {}, shape, "spec", problems) as ServiceSpec;
  const { clusterIP: clusterIp = "" } = spec;
  const isKnown = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"].includes(spec.type ?? "ClusterIP");
  const isAddress = clusterIp === "" || clusterIp === "None" || isIPv4(clusterIp);
  const ports = spec.ports ?? [];
  if (problems.length > 0 || !isKnown || !isAddress) return undefined;
  if (ports.some(({ protocol }) => !protocols.includes(protocol ?? "TCP"))) return undefined;
  const type = spec.type ?? "ClusterIP";
  const hasSelector = spec.selector !== undefined && Object.keys(spec.selector).length > 0;
  return {
    namespace: object.metadata.namespace ?? "default",
    name: object.metadata.name,
    type,
    clusterIp,
    ...(hasSelector && type !== "ExternalName" ? { selector: spec.selector } : {}),
    ports: ports.map(({ name, port, targetPort, protocol, appProtocol }) => ({
      name: name ?? "",
      port,
      targetPort: targetPort ?? port,
      protocol: protocol ?? "TCP",
      ...(appProtocol === undefined ? {} : { appProtocol }),
    })),
    publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
    createdAt: object.metadata.creationTimestamp ?? "",
    ...(spec.externalName === undefined ? {} : { externalName: spec.externalName }),
  };
}

/** Whether the selector of a Service picks a pod with these labels. */
export function isSelected(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels?.[key] === value);
}
