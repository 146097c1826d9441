export { type InjectDecision, type InjectRequest, injectDecision, type PodWishes } from "./decision.ts";
export { type Injection, injectPod, type PatchOptions, type SidecarSettings } from "./pod-patch.ts";
export type { ApplicationProbes } from "./probes.ts";
export {
  ENVOY_UID,
  hasSidecar,
  sidecarNames,
  sidecarPorts,
} from "./sidecar-containers.ts";
