import type { Clock, Log } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import { type FanOut, fanOut } from "./fan-out.ts";
import type { DeliveryObserver } from "./observer.ts";
import type { StreamLimits } from "./protocol.ts";
import { type RefusalMemory, refusalMemory } from "./refusals.ts";
import type { Peer, TableSource } from "./resource.ts";
import { Session } from "./session.ts";
import { tableDifference } from "./table-difference.ts";
import type { AcceptStream, EndCode, StreamTransport } from "./transport.ts";
import type { RefusedReason, XdsMetrics } from "./xds-metrics.ts";

/** Proxies whose refusals are remembered; the ones that refused least recently are forgotten first. */
const MEMORIES_MAX = 2000;

/** Bounds of the server. */
export interface SessionLimits extends StreamLimits {
  readonly streamsMax: number;
  /** More streams of one proxy end its oldest. Envoy needs two while it restarts hot. */
  readonly streamsPerPeerMax: number;
  /** A stream on which nothing was asked for so long is ended. */
  readonly firstRequestMs: number;
  /** How long after its first request a reconnecting proxy has named every type that it uses. */
  readonly quietMs: number;
}

export interface SessionsOptions {
  /** Which proxy the holder of a verified certificate is, or why it is none. */
  readonly authenticate: (certificate: ClientCertificate) => Peer | { readonly refusal: string };
  readonly tables: TableSource;
  readonly observe: DeliveryObserver;
  readonly limits: SessionLimits;
  readonly metrics: XdsMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** All open streams of a server, whatever transport carries them. */
export interface Sessions {
  /** Admits a stream or ends it at once. `certificate` is undefined when the client showed none. */
  readonly open: AcceptStream;
  /** Ends the streams of a proxy that may no longer be served. */
  endPeer(uuid: string, reason: string): void;
  /** Ends every stream; the proxies come back elsewhere or later. */
  endAll(reason: string): void;
}

export function openSessions(options: SessionsOptions): Sessions {
  const byPeer = new Map<string, Set<Session>>();
  const memories = new Map<string, RefusalMemory>();
  const difference = tableDifference();
  const changes: FanOut<Session> = fanOut(
    (action) => void nextTurn().then(action),
    (session) => session.refresh(),
  );
  let count = 0;
  let opened = 0;

  const remove = (session: Session, memory: RefusalMemory) => {
    const { uuid } = session.info.peer;
    changes.forget(session);
    const streams = byPeer.get(uuid);
    if (!streams?.delete(session)) return;
    count--;
    if (streams.size > 0) return;
    byPeer.delete(uuid);
    if (!memory.isEmpty()) keepMemory(memories, uuid, memory);
  };
  const memoryOf = (uuid: string) => {
    const [other] = byPeer.get(uuid) ?? [];
    const memory = other?.memory ?? memories.get(uuid) ?? refusalMemory();
    memories.delete(uuid);
    return memory;
  };

  return {
    open(protocol, certificate, transport) {
      const admitted = admit(options, count, certificate);
      if ("code" in admitted) {
        refuse(options, certificate, transport, admitted);
        return undefined;
      }
      const { peer, commonName } = admitted;
      const memory = memoryOf(peer.uuid);
      const session: Session = new Session({
        ...options,
        info: { id: String(++opened), peer, protocol },
        transport,
        nodeIds: [commonName, peer.uuid],
        memory,
        difference,
        firstRequestMs: options.limits.firstRequestMs,
        quietMs: options.limits.quietMs,
        onOver: () => remove(session, memory),
      });
      const streams = byPeer.get(peer.uuid) ?? new Set();
      byPeer.set(peer.uuid, streams);
      streams.add(session);
      count++;
      const [oldest] = streams;
      if (streams.size > options.limits.streamsPerPeerMax) {
        oldest?.end("ABORTED", `the proxy has opened more than ${options.limits.streamsPerPeerMax} streams`, "limit");
      }
      session.follow(options.tables.subscribe(peer, () => changes.mark(session)));
      return session;
    },
    endPeer(uuid, reason) {
      for (const session of [...(byPeer.get(uuid) ?? [])]) session.end("PERMISSION_DENIED", reason, "identity");
    },
    endAll(reason) {
      for (const streams of [...byPeer.values()]) {
        for (const session of [...streams]) session.end("UNAVAILABLE", reason);
      }
    },
  };
}

interface NotAdmitted {
  readonly code: EndCode;
  readonly message: string;
  readonly reason: RefusedReason;
}

function admit(
  { authenticate, limits, clock }: SessionsOptions,
  count: number,
  certificate: ClientCertificate | undefined,
): { readonly peer: Peer; readonly commonName: string } | NotAdmitted {
  if (certificate === undefined) {
    return {
      code: "UNAUTHENTICATED",
      message: "a client certificate of the mesh CA is required",
      reason: "certificate",
    };
  }
  // A resumed TLS session is not verified again.
  if (!(certificate.notAfterMs > clock.now())) {
    return { code: "UNAUTHENTICATED", message: "the client certificate has expired", reason: "certificate" };
  }
  if (count >= limits.streamsMax) {
    return { code: "RESOURCE_EXHAUSTED", message: `more than ${limits.streamsMax} streams are open`, reason: "limit" };
  }
  const peer = authenticate(certificate);
  if ("refusal" in peer) {
    return { code: "PERMISSION_DENIED", message: `the certificate is no proxy's: ${peer.refusal}`, reason: "identity" };
  }
  return { peer, commonName: certificate.commonName };
}

function refuse(
  { log, metrics }: SessionsOptions,
  certificate: ClientCertificate | undefined,
  transport: StreamTransport,
  { code, message, reason }: NotAdmitted,
): void {
  metrics.refused(reason);
  const serial = certificate?.serialNumber;
  log.warn("refused a stream", { commonName: certificate?.commonName.slice(0, 256), serial, code, cause: message });
  transport.end(code, message);
}

function keepMemory(memories: Map<string, RefusalMemory>, uuid: string, memory: RefusalMemory): void {
  memories.delete(uuid);
  memories.set(uuid, memory);
  const oldest = memories.keys().next().value;
  if (memories.size > MEMORIES_MAX && oldest !== undefined) memories.delete(oldest);
}
