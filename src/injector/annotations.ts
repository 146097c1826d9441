import { isIPv4 } from "node:net";

/** Annotations and labels of OSM v1.2.4 that decide about a sidecar; third parties write them, so they are API. */
export const annotationNames = {
  injection: "openservicemesh.io/sidecar-injection",
  metrics: "openservicemesh.io/metrics",
  inboundPortExclusions: "openservicemesh.io/inbound-port-exclusion-list",
  outboundPortExclusions: "openservicemesh.io/outbound-port-exclusion-list",
  outboundIpRangeExclusions: "openservicemesh.io/outbound-ip-range-exclusion-list",
  outboundIpRangeInclusions: "openservicemesh.io/outbound-ip-range-inclusion-list",
} as const;
export const labelNames = {
  monitoredBy: "openservicemesh.io/monitored-by",
  ignore: "openservicemesh.io/ignore",
  proxyUuid: "osm-proxy-uuid",
} as const;

type Annotations = Readonly<Record<string, string>> | undefined;

/** Thrown inside this room only: {@link injectDecision} turns it into a denial. The message is for the pod's author. */
export class AnnotationError extends Error {
  override readonly name = "AnnotationError";
}

/** True or false as the annotation says, undefined without one. `owner` names the object in the message. */
export function readSwitch(annotations: Annotations, name: string, owner: string): boolean | undefined {
  const value = annotations?.[name];
  if (value === undefined) return undefined;
  switch (value.toLowerCase()) {
    case "enabled":
    case "yes":
    case "true":
      return true;
    case "disabled":
    case "no":
    case "false":
      return false;
    default:
      throw new AnnotationError(
        `annotation ${name} of ${owner} is "${value}": use enabled, yes, true, disabled, no or false`,
      );
  }
}

/** Comma-separated ports, each within 1..65535, in the order written. */
export function readPorts(annotations: Annotations, name: string, owner: string): readonly number[] {
  return readList(annotations, name, (item) => {
    const port = Number(item);
    if (/^\d+$/.test(item) && isPort(port)) return port;
    throw new AnnotationError(
      `annotation ${name} of ${owner} contains "${item}": use port numbers from 1 to 65535, separated by commas`,
    );
  });
}

/** Comma-separated IPv4 ranges such as `10.0.0.0/8`, in the order written. */
export function readIpRanges(annotations: Annotations, name: string, owner: string): readonly string[] {
  return readList(annotations, name, (item) => {
    if (isIpv4Range(item)) return item;
    throw new AnnotationError(
      `annotation ${name} of ${owner} contains "${item}": use IPv4 ranges such as 10.0.0.0/8, separated by commas`,
    );
  });
}

export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

export function isIpv4Range(value: string): boolean {
  const [address, length, ...rest] = value.split("/");
  if (address === undefined || length === undefined || rest.length > 0) return false;
  return isIPv4(address) && /^\d{1,2}$/.test(length) && Number(length) <= 32;
}

function readList<T>(annotations: Annotations, name: string, read: (item: string) => T): readonly T[] {
  const value = annotations?.[name];
  return value === undefined ? [] : value.split(",").map((item) => read(item.trim()));
}
