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
} from "./protocol.ts";
export { type RefusalMemory, refusalMemory } from "./refusals.ts";
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
export type { XdsServerCredentials } from "./server-credentials.ts";
export { type SharedResponses, sharedResponses } from "./shared-responses.ts";
export { step } from "./step.ts";
export { createStream, type StreamOptions, type StreamState } from "./stream-state.ts";
export { type StreamThreads, StreamThreadsError } from "./stream-threads.ts";
export { type TableChanges, type TableDifference, tableDifference } from "./table-difference.ts";
