export { type GeneratedResource, generate, type ResourceName, resourceName } from "./generate.ts";
export {
  DEFAULT_CHAINS,
  PROBE_KINDS,
  PROXY_PORTS,
  type ProbeKind,
  parseProbeClusterName,
  parseProbePath,
  probeClusterName,
  probePath,
  RESOURCE_TYPE_URLS,
  ROUTE_POLICY,
  SECRETS,
} from "./names.ts";
export { encodeServiceCertificate, encodeTrustBundle, type ServiceCertificate, type TrustBundle } from "./secrets.ts";
