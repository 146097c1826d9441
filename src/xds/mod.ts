/**
 * Serves delta and state-of-the-world ADS: `startXdsServer`. What each proxy is to hold comes from a `TableSource`, and what
 * became of it goes to a `DeliveryObserver`. The protocol by itself, without sockets and time, is `step`.
 */
export type { DeliveryObserver } from "./observer.ts";
export {
  DEFAULT_STREAM_LIMITS,
  type DeltaRequest,
  type Response,
  type SotwRequest,
  type Step,
  type StreamInput,
} from "./protocol/protocol.ts";
export { type RefusalMemory, refusalMemory } from "./protocol/refusals.ts";
export { sharedResponses } from "./protocol/shared-responses.ts";
export { step } from "./protocol/step.ts";
export { createStream, type StreamState } from "./protocol/stream-state.ts";
export { tableDifference } from "./protocol/table-difference.ts";
export { type Peer, type Resource, type ResourceTable, type TableSource, TYPE_URLS, type TypeUrl } from "./resource.ts";
export {
  startXdsServer,
  XDS_TRANSPORTS,
  XdsListenError,
  type XdsServer,
  type XdsServerOptions,
  type XdsTransport,
} from "./server.ts";
export { StreamThreadsError } from "./threads/stream-threads.ts";
