import type { Socket as DatagramSocket } from "node:dgram";
import { createSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import type { Answer, Packet } from "dns-packet";
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import type { DnsZone } from "./dns-zone.ts";

export interface DnsServer {
  /** From here on this zone is answered from. */
  replace(zone: DnsZone): void;
  /** The port in use for both UDP and TCP. */
  readonly port: number;
  close(): void;
}

const TTL_SECONDS = 5;
/** RFC 1035 §4.2.1: what a UDP answer may have when the question does not offer more (RFC 6891). */
const UDP_BYTES = 512;
const UDP_OFFER_MAX = 4096;
const TCP_CONNECTIONS_MAX = 256;
const TCP_IDLE_MS = 5000;
const NXDOMAIN = 3;

/**
 * Serves DNS over UDP and TCP. Every question is answered at once: A from the zone, any other type without data, a name that is not in
 * the zone with NXDOMAIN. What is no question is dropped.
 */
export async function serveDns(options: { readonly address: string; readonly port: number }): Promise<DnsServer> {
  let zone: DnsZone = () => undefined;
  const tcp = createServer((socket) => answerStream(socket, (question) => answer(zone, question, 0xffff)));
  tcp.maxConnections = TCP_CONNECTIONS_MAX;
  const port = await listenTcp(tcp, options);
  const udp = createSocket("udp4");
  udp.on("message", (question, peer) => {
    const response = answer(zone, question, UDP_BYTES);
    // A lost answer is asked for again by the resolver.
    if (response !== undefined) udp.send(response, peer.port, peer.address, () => undefined);
  });
  await listenUdp(udp, port, options.address);
  return {
    port,
    replace(next) {
      zone = next;
    },
    close() {
      tcp.close();
      udp.close();
    },
  };
}

/** The answer to one encoded question within `limitBytes`; undefined when the bytes are no question. */
export function answer(zone: DnsZone, bytes: Buffer, limitBytes: number): Buffer | undefined {
  let query: Packet;
  try {
    query = decode(bytes);
  } catch {
    // Nobody to answer: not even an id can be trusted.
    return undefined;
  }
  const question = query.questions?.[0];
  if (query.type !== "query" || question === undefined) return undefined;
  const addresses = zone(question.name);
  const answers: Answer[] =
    question.type === "A"
      ? (addresses ?? []).map((data) => ({ type: "A", name: question.name, ttl: TTL_SECONDS, data }))
      : [];
  const flags =
    AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | (addresses ? 0 : NXDOMAIN);
  const response: Packet = { type: "response", id: query.id ?? 0, flags, questions: [question], answers };
  const encoded = encode(response);
  if (encoded.length <= Math.max(limitBytes, offeredBytes(query))) return encoded;
  return encode({ ...response, flags: flags | TRUNCATED_RESPONSE, answers: [] });
}

function offeredBytes(query: Packet): number {
  for (const extra of query.additionals ?? [])
    if (extra.type === "OPT") return Math.min(extra.udpPayloadSize, UDP_OFFER_MAX);
  return 0;
}

/** RFC 1035 §4.2.2: each message has its length in two bytes before it. */
function answerStream(socket: Socket, reply: (question: Buffer) => Buffer | undefined): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2) {
      const length = pending.readUInt16BE(0);
      if (pending.length < 2 + length) return;
      const response = reply(pending.subarray(2, 2 + length));
      pending = pending.subarray(2 + length);
      if (response === undefined) {
        socket.destroy();
        return;
      }
      const head = Buffer.alloc(2);
      head.writeUInt16BE(response.length);
      socket.write(Buffer.concat([head, response]));
    }
  });
}

function listenTcp(server: Server, options: { readonly address: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, () => {
      const bound = server.address();
      resolve(bound !== null && typeof bound === "object" ? bound.port : options.port);
    });
  });
}

function listenUdp(socket: DatagramSocket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, () => resolve());
  });
}
