import type { Clock } from "../../lib/mod.ts";
import type { Conduct } from "../admission/conduct.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import { requestExcess } from "../codec/undecoded-limits.ts";
import type { StreamInfo } from "../observer.ts";
import type { AcceptStream, EndCode, StreamHandler, StreamTransport, TransportLimits } from "../transport.ts";
import { type FindExcess, GrpcFrameError, GrpcFrameReader } from "./grpc-frames.ts";
import { readTimeout } from "./grpc-timeout.ts";
import { RequestBudget } from "./request-budget.ts";

/** Names in lower case, pseudo-headers first. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** One HTTP/2 stream as gRPC needs it, whoever makes the frames. */
export interface GrpcCarrier {
  /** Of its connection. */
  readonly conduct: Conduct;
  respond(headers: Headers): void;
  /** The response is these headers and nothing else. */
  respondAlone(headers: Headers): void;
  /** False: enough is under way; `drained` is due when there is room again. */
  write(bytes: Buffer): boolean;
  /** Ends the response after what was written. */
  trailers(headers: Headers): void;
  /** Gives up the stream; the peer hears of it. */
  abandon(): void;
  /** Each call is followed by one of `resumeReading`: a carrier may count them. */
  pauseReading(): void;
  resumeReading(): void;
}

/** The head of a request, with header names in lower case. */
export interface GrpcRequestHead {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  /** `grpc-timeout`. */
  readonly timeout: string | undefined;
}

export interface GrpcStreamOptions {
  readonly accept: AcceptStream;
  readonly clock: Clock;
  /** A longer message ends its stream before it is kept. */
  readonly requestBytesMax: number;
  /** What is asked about long messages before they are whole. */
  readonly findExcess: FindExcess;
}

/** What all streams of a transport are opened with. */
export function grpcStreamOptions({
  accept,
  clock,
  limits: { requestBytesMax, namesMax },
}: {
  readonly accept: AcceptStream;
  readonly clock: Clock;
  readonly limits: Pick<TransportLimits, "requestBytesMax" | "namesMax">;
}): GrpcStreamOptions {
  const findExcess: FindExcess = (beginning, length) => requestExcess(beginning, namesMax, length);
  return { accept, clock, requestBytesMax, findExcess };
}

const STATUS: Readonly<Record<EndCode, number>> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

/** Statuses that say that the client is at fault, or no proxy of ours. */
const FAULTS: ReadonlySet<EndCode> = new Set([
  "INVALID_ARGUMENT",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "UNAUTHENTICATED",
]);

/** Statuses that say that we are: no client is to be held back for it. */
const OWN_FAULTS: ReadonlySet<EndCode> = new Set(["INTERNAL", "UNAVAILABLE"]);

const AGGREGATED_DISCOVERY = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const PROTOCOLS: ReadonlyMap<string | undefined, StreamInfo["protocol"]> = new Map([
  [`${AGGREGATED_DISCOVERY}/DeltaAggregatedResources`, "delta"],
  [`${AGGREGATED_DISCOVERY}/StreamAggregatedResources`, "sotw"],
]);

const RESPONSE_HEADERS: Headers = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
/** What a client is told whose message was compressed (Compression of gRPC). */
const TAKEN_ENCODINGS: Headers = [["grpc-accept-encoding", "identity"]];
/** Timers know no longer times; streams do not live so long. */
const DEADLINE_MAX_MS = 2 ** 31 - 1;
/** How long a stream that was ended may take to hear of it; a peer that reads nothing must not hold it for longer. */
const END_MS = 5_000;

/**
 * Takes in a request as the gRPC over HTTP/2 specification says. Undefined: it is none of ours, and the response says why. A
 * stream that `accept` refused has ended already, and wants to hear of its close like any other.
 */
export function openGrpcStream(
  head: GrpcRequestHead,
  certificate: ClientCertificate,
  carrier: GrpcCarrier,
  options: GrpcStreamOptions,
): GrpcStream | undefined {
  if (head.method !== "POST") {
    carrier.respondAlone([
      [":status", "405"],
      ["allow", "POST"],
    ]);
    return undefined;
  }
  if (!isGrpc(head.contentType)) {
    carrier.respondAlone([[":status", "415"]]);
    return undefined;
  }
  const protocol = PROTOCOLS.get(head.path);
  if (protocol === undefined) {
    carrier.respondAlone([...RESPONSE_HEADERS, ...statusHeaders("UNIMPLEMENTED", "the method is not served here")]);
    return undefined;
  }
  const timeoutMs = readTimeout(head.timeout);
  if (timeoutMs === undefined) {
    carrier.respondAlone([...RESPONSE_HEADERS, ...statusHeaders("INTERNAL", "grpc-timeout is malformed")]);
    return undefined;
  }
  const stream = new GrpcStream(carrier, options);
  stream.open(protocol, certificate, timeoutMs);
  return stream;
}

/** `application/grpc`, alone or followed by `+FORMAT` or parameters. */
function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/i.test(contentType);
}

/** One gRPC stream: messages out of bytes, and the status at its end. */
export class GrpcStream implements StreamTransport {
  readonly #carrier: GrpcCarrier;
  readonly #options: GrpcStreamOptions;
  readonly #reader: GrpcFrameReader;
  readonly #budget: RequestBudget;
  #handler: StreamHandler | undefined;
  #hasResponded = false;
  #hasEnded = false;
  #isResting = false;
  #cancelTimer: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;

  constructor(carrier: GrpcCarrier, options: GrpcStreamOptions) {
    this.#carrier = carrier;
    this.#options = options;
    this.#budget = new RequestBudget(options.clock);
    const onMessage = (message: Uint8Array) => {
      this.#budget.received();
      this.#handler?.receive(message);
      if (!this.#hasEnded) carrier.conduct.excused();
    };
    this.#reader = new GrpcFrameReader(options.requestBytesMax, onMessage, options.findExcess);
  }

  /** The client wants to hear nothing more after `timeoutMs`. */
  open(protocol: StreamInfo["protocol"], certificate: ClientCertificate, timeoutMs: number): void {
    this.#handler = this.#options.accept(protocol, certificate, this);
    if (timeoutMs > DEADLINE_MAX_MS || this.#isOver()) return;
    this.#cancelDeadline = this.#options.clock.after(timeoutMs, () => {
      this.end("DEADLINE_EXCEEDED", "the time that the client gave its call is over");
      this.#handler?.closed();
    });
  }

  /** Bytes of the request. */
  receive(chunk: Uint8Array): void {
    if (this.#hasEnded) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof GrpcFrameError)) throw error;
      this.#fail(error.code, error.message);
      return;
    }
    if (!this.#isResting && this.#budget.isSpent && !this.#isOver()) this.#rest();
  }

  drained(): void {
    if (!this.#hasEnded) this.#handler?.drained();
  }

  /** The client sends no more. */
  halfClosed(): void {
    if (this.#hasEnded) return;
    if (this.#reader.isWithinMessage) this.#fail("INTERNAL", "the client closed its side within a message");
    else this.#handler?.halfClosed();
  }

  /** The stream is gone, however it ended. */
  closed(): void {
    this.#cancelTimer?.();
    this.#cancelDeadline?.();
    this.#endRest();
    this.#reader.stop();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#handler?.closed();
  }

  send(prefixed: Buffer): boolean {
    if (!this.#hasResponded) {
      this.#hasResponded = true;
      this.#carrier.respond(RESPONSE_HEADERS);
    }
    this.#budget.sent();
    return this.#carrier.write(prefixed);
  }

  proven(): void {
    this.#carrier.conduct.proven();
  }

  end(code: EndCode, message: string, isOurFault = OWN_FAULTS.has(code)): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (isOurFault) this.#carrier.conduct.excused();
    else if (FAULTS.has(code)) this.#carrier.conduct.broke(`gRPC: ${code}`);
    this.#reader.stop();
    this.#cancelTimer?.();
    this.#cancelDeadline?.();
    this.#endRest();
    this.#cancelTimer = this.#options.clock.after(END_MS, () => this.#carrier.abandon());
    const status = statusHeaders(code, message);
    if (this.#hasResponded) this.#carrier.trailers(status);
    else {
      const encodings = code === "UNIMPLEMENTED" ? TAKEN_ENCODINGS : [];
      this.#carrier.respondAlone([...RESPONSE_HEADERS, ...encodings, ...status]);
    }
  }

  /** What was received is at fault. */
  #fail(code: EndCode, message: string): void {
    this.#carrier.conduct.broke(`gRPC: ${code}`);
    this.end(code, message);
    this.#handler?.failed(code, message);
  }

  /** A client that asks too much is read no further until its budget has grown again. */
  #rest(): void {
    if (!this.#isResting) this.#carrier.pauseReading();
    this.#isResting = true;
    this.#cancelTimer = this.#options.clock.after(this.#budget.restMs, () => {
      this.#cancelTimer = undefined;
      if (this.#budget.isSpent) this.#rest();
      else this.#endRest();
    });
  }

  /** Its connection may carry other streams, and has to be read for them as well. */
  #endRest(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    this.#carrier.resumeReading();
  }

  /** A method, because what a message led to may have ended the stream. */
  #isOver(): boolean {
    return this.#hasEnded;
  }
}

/** `grpc-message` is percent-encoded UTF-8: everything but printable ASCII, and the percent sign. */
function statusHeaders(code: EndCode, message: string): Headers {
  return [
    ["grpc-status", String(STATUS[code])],
    ["grpc-message", percentEncode(message)],
  ];
}

function percentEncode(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
