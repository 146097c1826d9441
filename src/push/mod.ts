export {
  createDeliveryTracker,
  type DeliveryTracker,
  type PushReport,
  type StreamDelivery,
  type TypeDelivery,
} from "./delivery-tracker.ts";
export { createPushEngine, type Push, type PushEngine, type PushEngineOptions, type SecretSource } from "./engine.ts";
export { createResourceSource, type ResourceSource, type ResourceSourceOptions } from "./resource-source.ts";
