import type { StreamInfo } from "../observer.ts";
import type { DeltaRequest, SotwRequest, StreamEnd } from "../protocol/protocol.ts";
import { decodeDeltaRequest, decodeSotwRequest } from "./messages.ts";
import { requestExcess } from "./undecoded-limits.ts";

export type Request = DeltaRequest | SotwRequest;

/** What reading takes of a session's services. */
interface RequestReading {
  /** The short way to read a request; undefined where only the decoder can. */
  readonly readDeltaRequest: (bytes: Uint8Array) => DeltaRequest | undefined;
  readonly limits: { readonly namesMax: number };
}

/** Reads a message of a client; where it is none that is taken, says how its stream ends. */
export function readRequest(
  bytes: Uint8Array,
  protocol: StreamInfo["protocol"],
  { readDeltaRequest, limits }: RequestReading,
): Request | StreamEnd {
  const excess = requestExcess(bytes, limits.namesMax, bytes.length);
  if (excess !== undefined) return { code: "RESOURCE_EXHAUSTED", message: excess };
  try {
    if (protocol === "sotw") return decodeSotwRequest(bytes);
    return readDeltaRequest(bytes) ?? decodeDeltaRequest(bytes);
  } catch {
    // What the decoder says quotes the client's bytes; the stream's end says enough.
    return { code: "INVALID_ARGUMENT", message: `${bytes.length} bytes are no discovery request` };
  }
}

/** Whether it is a delta request that answers a response and asks for nothing. */
export function isAck(request: Request): boolean {
  if (request.kind !== "delta-request" || request.nonce === "") return false;
  return request.subscribe.length + request.unsubscribe.length + request.initialVersions.size === 0;
}
