/**
 * Snapshots in, tables of resources out, one for each workload class: `createPushEngine` is the xDS server's `TableSource`,
 * `createDeliveryTracker` its observer, and `createResourceSource` what the engine has resources made by.
 */
export { createDeliveryTracker, type DeliveryTracker, type StreamDelivery } from "./delivery-tracker.ts";
export { createPushEngine, type PushEngine } from "./engine.ts";
export type { Push } from "./pass.ts";
export type { PushReport } from "./push-follower.ts";
export { createResourceSource, type ResourceSource, type ResourceSourceOptions } from "./resource-source.ts";
export type { SecretSource, TableSecrets } from "./table-secrets.ts";
