export { annotationNames, labelNames } from "./annotations.ts";
export { type InjectDecision, type InjectRequest, injectDecision, type PodWishes } from "./decision.ts";
export { type Injection, injectPod, type PatchOptions, type SidecarSettings } from "./pod-patch.ts";
export type { ApplicationProbes } from "./probes.ts";
export {
  bootstrapSecretName,
  ENVOY_CONFIG_DIR,
  ENVOY_UID,
  hasSidecar,
  sidecarNames,
  sidecarPorts,
} from "./sidecar-containers.ts";
