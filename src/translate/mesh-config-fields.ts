import type { Field } from "./field.ts";

/** Fields of MeshConfig that change what the mesh does. Everything else is read, checked and listed as inactive. */
const ACTIVE: ReadonlySet<string> = new Set([
  "spec.sidecar.enablePrivilegedInitContainer",
  "spec.sidecar.logLevel",
  "spec.sidecar.envoyImage",
  "spec.sidecar.initContainerImage",
  "spec.sidecar.resources",
  "spec.traffic.enableEgress",
  "spec.traffic.enablePermissiveTrafficPolicyMode",
  "spec.traffic.outboundIPRangeExclusionList",
  "spec.traffic.outboundPortExclusionList",
  "spec.traffic.inboundPortExclusionList",
  "spec.observability.osmLogLevel",
  "spec.certificate.keyAlgorithm",
  "spec.certificate.serviceCertValidityDuration",
]);

/** Fields that v1alpha1 does not have. */
const ACTIVE_SINCE_V1ALPHA2: ReadonlySet<string> = new Set([
  "spec.sidecar.tlsMinProtocolVersion",
  "spec.sidecar.tlsMaxProtocolVersion",
  "spec.sidecar.cipherSuites",
  "spec.sidecar.ecdhCurves",
  "spec.sidecar.localProxyMode",
  "spec.traffic.outboundIPRangeInclusionList",
  "spec.traffic.networkInterfaceExclusionList",
]);

/** Fields whose value is one setting although it is an object. */
const WHOLE: ReadonlySet<string> = new Set(["spec.sidecar.resources"]);

/** Paths listed per object, and how deep they are looked for. */
const PATHS_MAX = 100;
const DEPTH_MAX = 8;

/** Paths of the fields that `spec` sets without effect, misspelt ones included, in order. */
export function inactiveFields(
  spec: Field,
  facts: { readonly isOld: boolean; readonly keyAlgorithm: "ECDSA" | "RSA" },
): readonly string[] {
  const found: string[] = [];
  const isActive = (path: string) =>
    ACTIVE.has(path) ||
    (!facts.isOld && ACTIVE_SINCE_V1ALPHA2.has(path)) ||
    (path === "spec.certificate.certKeyBitSize" && facts.keyAlgorithm === "RSA");
  const visit = (value: unknown, path: string, depth: number): void => {
    if (value === null || value === undefined || found.length >= PATHS_MAX || isActive(path)) return;
    if (typeof value === "object" && !Array.isArray(value) && !WHOLE.has(path) && depth < DEPTH_MAX) {
      for (const [name, child] of Object.entries(value)) visit(child, `${path}.${name}`, depth + 1);
    } else {
      found.push(path);
    }
  };
  visit(spec.value, spec.path, 0);
  return found.sort();
}
