export type { XdsServerCredentials } from "./admission/server-credentials.ts";
export type { ClientCertificate } from "./client-certificate.ts";
export type { Delivery, DeliveryObserver, Refusal, StreamInfo } from "./observer.ts";
export {
  DEFAULT_STREAM_LIMITS,
  type DeltaRequest,
  type Response,
  type ResponseContent,
  type SotwRequest,
  type Step,
  type StreamEnd,
  type StreamInput,
  type StreamLimits,
  type Verdict,
} from "./protocol/protocol.ts";
export { type RefusalMemory, refusalMemory } from "./protocol/refusals.ts";
export { type SharedResponses, sharedResponses } from "./protocol/shared-responses.ts";
export { step } from "./protocol/step.ts";
export { createStream, type StreamOptions, type StreamState } from "./protocol/stream-state.ts";
export { type TableChanges, type TableDifference, tableDifference } from "./protocol/table-difference.ts";
export {
  type NameSet,
  type Peer,
  type Resource,
  type ResourceTable,
  type TableSource,
  type TableSubscription,
  TYPE_URLS,
  type TypeUrl,
} from "./resource.ts";
export {
  startXdsServer,
  XDS_TRANSPORTS,
  XdsListenError,
  type XdsServer,
  type XdsServerLimits,
  type XdsServerOptions,
  type XdsTransport,
} from "./server.ts";
export { type StreamThreads, StreamThreadsError } from "./threads/stream-threads.ts";
