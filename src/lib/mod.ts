export { type Backoff, backoff } from "./backoff.ts";
export { type Clock, type ManualClock, manualClock, systemClock } from "./clock.ts";
export { canonicalJson, contentHash } from "./hash.ts";
export { type HostPort, parseHostPort } from "./host-port.ts";
export { InvariantError, invariant } from "./invariant.ts";
export { jsonLog, LOG_LEVELS, type Log, type LogFields, type LogLevel, silentLog } from "./log.ts";
export { observeLoopDelay } from "./loop-delay.ts";
export {
  type BoundCounter,
  type BoundHistogram,
  type Counter,
  type Gauge,
  type Histogram,
  type LabelValues,
  type MetricFamily,
  type MetricKind,
  type Metrics,
  metricsRegistry,
  type Series,
} from "./metrics.ts";
export { type ObjectRef, objectKey } from "./object-ref.ts";
export { ownCopy } from "./own-copy.ts";
export { printable } from "./printable.ts";
export type { Rejection } from "./rejection.ts";
export { Slots } from "./slots.ts";
export { finish, type Steps } from "./steps.ts";
