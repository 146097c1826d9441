import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { parseHostPort } from "../lib/mod.ts";
import type { Answers } from "./connection-answers.ts";
import type { Target } from "./fleet-api.ts";
import type { MessageBuffers } from "./http2-buffers.ts";
import { type CallEnd, Http2Client } from "./http2-client.ts";
import { opening } from "./http2-frames.ts";
import { PeerError } from "./peer-error.ts";

const PATHS = {
  delta: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
  sotw: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
} as const;

/** Where all connections go, worked out once. */
export interface Endpoint {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly tls: { readonly rootsPem: string; readonly serverName: string | undefined } | undefined;
  /** What each connection says first. */
  readonly openings: Readonly<Record<"delta" | "sotw", Buffer>>;
}

/** Throws a `RangeError` for an address that is none. */
export function endpointOf({ address, tls }: Target): Endpoint {
  const scheme = tls === undefined ? "http" : "https";
  const unix = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const hostPort = unix === undefined ? parseHostPort(address) : undefined;
  if (unix === undefined && hostPort === undefined) {
    throw new RangeError(`a target is HOST:PORT or unix:PATH, found "${address}"`);
  }
  const host = hostPort?.host;
  const serverName = tls?.serverName ?? (host !== undefined && isIP(host) === 0 ? host : undefined);
  const authority = serverName ?? (unix === undefined ? address : "localhost");
  return {
    address: hostPort ?? { path: unix ?? "" },
    tls: tls === undefined ? undefined : { rootsPem: tls.rootsPem, serverName },
    openings: {
      delta: opening({ path: PATHS.delta, authority, scheme }),
      sotw: opening({ path: PATHS.sotw, authority, scheme }),
    },
  };
}

export interface ConnectionEvents {
  /** The handshake is done; requests may be sent. */
  opened(isResumed: boolean): void;
  /** A gRPC message; its bytes are the listener's only during the call. What is sent meanwhile goes out in one piece. */
  message(bytes: Buffer): void;
  /** What was sent while messages were given out, of one read or several, is with the socket. */
  flushed(): void;
  /** The connection is over, once. Not after `close`. */
  ended(end: CallEnd): void;
  /** With this a later connection need not prove itself again. */
  session(ticket: Buffer): void;
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly protocol: "delta" | "sotw";
  readonly context: SecureContext | undefined;
  readonly session: Buffer | undefined;
  /** Those of all connections of this thread. */
  readonly answers: Answers;
  readonly buffers: MessageBuffers;
  readonly events: ConnectionEvents;
}

/** What sockets of this thread read into, one after the other: it is empty again when a read was handled. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** A socket with one gRPC call on it. */
export class Connection {
  readonly #answers: Answers;
  readonly #events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #call: Http2Client;
  readonly #opening: Buffer;
  readonly #unwritten: Buffer[] = [];
  #isOpen = false;
  #isOver = false;
  #isSilent = false;
  #isAnswering = false;
  #error: NodeJS.ErrnoException | undefined;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #allowance = 0;

  constructor({ endpoint, protocol, context, session, answers, buffers, events }: ConnectionOptions) {
    this.#answers = answers;
    this.#events = events;
    this.#opening = endpoint.openings[protocol];
    const callEvents = {
      write: (bytes: Buffer) => void this.#unwritten.push(bytes),
      message: (bytes: Buffer) => this.#events.message(bytes),
      ended: (end: CallEnd) => this.#end(end),
    };
    this.#call = new Http2Client(callEvents, buffers);
    const onread = { buffer: readBuffer, callback: (count: number, bytes: Uint8Array) => this.#read(count, bytes) };
    if (endpoint.tls === undefined) {
      this.#socket = connectTcp({ ...endpoint.address, onread });
      this.#socket.once("connect", () => this.#open(false));
    } else {
      const { serverName } = endpoint.tls;
      const socket = connectTls({
        ...endpoint.address,
        ...{ onread },
        ALPNProtocols: ["h2"],
        ...(context === undefined ? {} : { secureContext: context }),
        ...(session === undefined ? {} : { session }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      });
      this.#socket = socket;
      socket.once("secureConnect", () => this.#openSecure(socket));
      socket.on("session", (ticket) => this.#events.session(ticket));
    }
    this.#socket.setNoDelay(true);
    this.#socket.on("error", (error) => {
      this.#error = error;
    });
    this.#socket.once("close", () => this.#end(endOf(this.#error, this.#isOpen)));
  }

  /** Frames go out with the next `flush`. */
  send(frames: Buffer | readonly Buffer[]): void {
    this.#guarded(() => this.#call.send(frames));
  }

  flush(): void {
    const unwritten = this.#unwritten;
    if (unwritten.length === 0 || this.#isSilent || this.#isOver) return;
    const [first] = unwritten;
    const bytes = unwritten.length === 1 && first !== undefined ? first : Buffer.concat(unwritten);
    // Left to the garbage collector with all that was in it, an array as old as the connection would keep that for long.
    unwritten.length = 0;
    this.#socket.write(bytes);
  }

  /** Sends what it has to say to what it has read. */
  answer(): void {
    this.#isAnswering = false;
    if (this.#isOver || this.#isSilent) return;
    this.flush();
    this.#events.flushed();
  }

  /** From now on it reads no more than this a second; `refill` has to be called regularly. Infinity: as fast as it can. */
  limit(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#allowance = 0;
    if (bytesPerSecond === Number.POSITIVE_INFINITY) this.#socket.resume();
    else this.#socket.pause();
  }

  /** Lets a limited connection read for this time again. */
  refill(ms: number): void {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY || this.#isSilent) return;
    // What was not used is lost after a second.
    const earned = (this.#bytesPerSecond * ms) / 1000;
    this.#allowance = Math.min(this.#bytesPerSecond, this.#allowance + earned);
    if (this.#allowance > 0) this.#socket.resume();
  }

  /** Neither reads nor writes any more, and does not say so. */
  silence(): void {
    this.#isSilent = true;
    this.#socket.pause();
  }

  /** Ends it, with nothing told to the listener. */
  close(how: "fin" | "rst"): void {
    this.#isOver = true;
    if (how === "rst") resetHandle(this.#socket);
    this.#socket.destroy();
  }

  #openSecure(socket: TLSSocket): void {
    if (socket.alpnProtocol !== "h2") {
      const chosen =
        socket.alpnProtocol === false ? "no protocol (ALPN)" : `the protocol ${String(socket.alpnProtocol)}`;
      this.#end({ kind: "tls", message: `the server chose ${chosen} instead of h2` });
      return;
    }
    this.#open(socket.isSessionReused());
  }

  #open(isResumed: boolean): void {
    if (this.#isOver) return;
    this.#isOpen = true;
    this.#unwritten.push(this.#opening);
    this.#events.opened(isResumed);
    this.flush();
  }

  /** Whether it goes on reading. */
  #read(count: number, bytes: Uint8Array): boolean {
    if (this.#isOver || this.#isSilent) return false;
    this.#guarded(() => this.#call.receive(asBuffer(bytes, count)));
    if (this.#isOver) return false;
    if (!this.#isAnswering) {
      this.#isAnswering = true;
      this.#answers.add(this);
    }
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return true;
    this.#allowance -= count;
    return this.#allowance > 0;
  }

  /** What the peer does wrong ends the connection. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.#end({ kind: error.code, message: error.message });
    }
  }

  #end(end: CallEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#events.ended(end);
  }
}

/** The TCP handle inside a socket, below TLS: no public interface, so it is looked at before it is used. */
interface NativeHandle {
  readonly _parent?: NativeHandle;
  reset?(closed: () => void): number;
}

/** Sends RST where the runtime can: `resetAndDestroy` refuses TLS sockets. Deno, and a Unix socket, send FIN instead. */
function resetHandle(socket: Socket): void {
  const handle = (socket as unknown as { readonly _handle?: NativeHandle | null })._handle;
  const tcp = handle?._parent ?? handle;
  if (typeof tcp?.reset === "function") tcp.reset(() => undefined);
}

function asBuffer(bytes: Uint8Array, count: number): Buffer {
  return bytes === readBuffer ? readBuffer.subarray(0, count) : Buffer.from(bytes.buffer, bytes.byteOffset, count);
}

/** Why a socket ended that nobody here closed. */
function endOf(error: NodeJS.ErrnoException | undefined, isOpen: boolean): CallEnd {
  if (error === undefined) {
    const message = isOpen ? "the server closed the connection" : "the server closed the connection before it was open";
    return { kind: "closed", message };
  }
  const code = error.code ?? "";
  const { message } = error;
  if (code === "ECONNREFUSED" || code === "ENOENT") return { kind: "connect-refused", message };
  if (code === "ECONNRESET" || code === "EPIPE") return { kind: "reset", message };
  if (code === "ETIMEDOUT") return { kind: "timeout", message };
  // OpenSSL's own codes, and those of certificates that do not verify.
  if (/^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME)/.test(code))
    return { kind: "tls", message: tlsReason(error) };
  return { kind: code === "" ? "socket" : `socket-${code}`, message };
}

/** Around its reason OpenSSL names a thread, a function and a line of its own, and Node advice that is no use to a fleet. */
function tlsReason({ message, reason }: Error & { readonly reason?: unknown }): string {
  if (reason === "wrong version number") return "the server did not answer with TLS (wrong version number)";
  return typeof reason === "string" ? reason : (message.split("; if the root CA")[0] ?? message);
}
