/** What is said between the main thread and a stream thread beside batches: rare, and therefore plain objects. */
import type { LabelValues } from "../../lib/mod.ts";
import type { XdsServerCredentials } from "../admission/server-credentials.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import type { StreamInfo } from "../observer.ts";
import type { EndCode, TransportLimits } from "../transport.ts";

/** What a stream thread is started with. */
export interface StreamThreadData {
  readonly limits: TransportLimits;
  readonly credentials: XdsServerCredentials;
  readonly ticketKeys: Uint8Array;
  /** One 32-bit number, which may overflow: how many bytes of this thread's batches the main thread has worked through. */
  readonly handled: SharedArrayBuffer;
}

export type ToStreamThread =
  | { readonly kind: "listen"; readonly address: string }
  | { readonly kind: "credentials"; readonly credentials: XdsServerCredentials }
  | { readonly kind: "ticket-keys"; readonly keys: Uint8Array }
  | { readonly kind: "close" };

/** A value of a metric: what was added to a counter, or where a gauge stands. */
export interface MetricValue {
  readonly name: string;
  readonly help: string;
  readonly value: number;
  readonly labels: LabelValues;
}

export type FromStreamThread =
  | { readonly kind: "listening"; readonly address: string }
  | { readonly kind: "not-listening"; readonly message: string; readonly code: string | undefined }
  | { readonly kind: "counted"; readonly counts: readonly MetricValue[] }
  /** Sent every second: also the sign that the thread is alive. */
  | { readonly kind: "gauges"; readonly sums: readonly MetricValue[]; readonly gauges: readonly MetricValue[] }
  | { readonly kind: "held-back"; readonly address: string; readonly cause: string }
  | { readonly kind: "closed" };

export interface StreamOpening {
  readonly protocol: StreamInfo["protocol"];
  readonly certificate: ClientCertificate | undefined;
}

export interface StreamEnding {
  readonly code: EndCode;
  readonly message: string;
  readonly isOurFault?: boolean;
}

/** Bytes of one stream that the main thread may send ahead of what the thread's sockets take. */
export const STREAM_WINDOW_BYTES = 128 * 1024;
