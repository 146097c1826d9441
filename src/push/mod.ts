export {
  createDeliveryTracker,
  type DeliveryTracker,
  type StreamDelivery,
  type TypeDelivery,
} from "./delivery-tracker.ts";
export { createPushEngine, type Push, type PushEngine, type PushEngineOptions } from "./engine.ts";
export type { PushReport } from "./push-follower.ts";
export { createResourceSource, type ResourceSource, type ResourceSourceOptions } from "./resource-source.ts";
export type { SecretSource, TableSecrets } from "./table-secrets.ts";
