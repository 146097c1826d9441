import { envoy } from "../../proto/gen/discovery.js";
import { message } from "./frames.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;

/** Who the sender seems to be. */
export type Disguise =
  /** A TCP connection. */
  | "anybody"
  /** TLS without a client certificate. */
  | "no certificate"
  /** TLS with a certificate of another CA. */
  | "foreign certificate"
  /** TLS 1.2, with the certificate of a proxy. */
  | "old TLS"
  /** A proxy of the mesh. */
  | "proxy";

export interface HostileSession {
  readonly name: string;
  readonly as: Disguise;
  /** What is written, piece by piece. `random` gives numbers below 1; `uuid` is the proxy's own. */
  readonly pieces: (random: () => number, uuid: string) => readonly Buffer[];
}

export function noise(random: () => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

/** What a proxy of the mesh sends. */
export function asProxy(name: string, pieces: HostileSession["pieces"]): HostileSession {
  return { name, as: "proxy", pieces };
}

/** A request on stream 1. */
export function delta(request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): Buffer {
  return message(1, DeltaDiscoveryRequest.encode(request).finish());
}
