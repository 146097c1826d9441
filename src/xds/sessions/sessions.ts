import { type Clock, type Log, Slots } from "../../lib/mod.ts";
import { nextTurn, workedMs } from "../../platform/mod.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import { deltaRequestReader } from "../codec/delta-request-reader.ts";
import { encodedResponses } from "../codec/encoded-responses.ts";
import { deltaResponseEncoder, encodeSotwResponse } from "../codec/messages.ts";
import { endInTurns } from "../ending-in-turns.ts";
import type { DeliveryObserver } from "../observer.ts";
import { type RefusalMemory, refusalMemory } from "../protocol/refusals.ts";
import { sharedResponses } from "../protocol/shared-responses.ts";
import { tableDifference } from "../protocol/table-difference.ts";
import type { Peer, TableSource } from "../resource.ts";
import type { AcceptStream, EndCode, StreamTransport } from "../transport.ts";
import { fanOut } from "./fan-out.ts";
import { prefetchTogether } from "./prefetch.ts";
import { Session, type SessionServices } from "./session.ts";
import { type TurnBudget, turnBudget } from "./turn-budget.ts";
import type { RefusedReason, XdsMetrics } from "./xds-metrics.ts";

/** Proxies whose refusals are remembered; the ones that refused least recently are forgotten first. */
const MEMORIES_MAX = 2000;

/** Bounds of the server. */
export type SessionLimits = SessionServices["limits"] & {
  readonly streamsMax: number;
  /** More streams of one proxy end its oldest. Envoy needs two while it restarts hot. */
  readonly streamsPerPeerMax: number;
};

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
  /** How often streams have been told of a change so far. */
  told(): number;
  /** Ends the streams of a proxy that may no longer be served. */
  endPeer(uuid: string, reason: string): void;
  /** Ends every stream, some in each turn, and takes no more; the proxies come back elsewhere or later. */
  endAll(reason: string): Promise<void>;
}

/** How long the responses of one stream are kept for others that are to be sent the same, at least and at most twice. */
const AGE_MS = 10_000;

/**
 * What is sent in a turn is encrypted and written at its end, by Node and where nobody looks at the clock: 16 kB take about
 * 0.04 ms. Streams that are sent 170 kB each would make their turn ten times as long as they seem to.
 */
const WRITE_MS_PER_BYTE = 0.04 / 16_384;

export function openSessions(options: SessionsOptions): Sessions {
  const { limits, clock, metrics, tables } = options;
  /** A clock that goes on by what writing takes as soon as something is sent; only its differences mean something. */
  const monotonic = () => clock.monotonic() + metrics.bytesSent() * WRITE_MS_PER_BYTE;
  // Nearly always one each: a set of one costs ten times as much.
  const byPeer = new Map<string, readonly Session[]>();
  const memories = new Map<string, RefusalMemory>();
  const changes = fanOut<Session>({
    later: (action) => void nextTurn().then(action),
    refresh: (session) => session.refresh(),
    onSlice: prefetchTogether,
    monotonic,
    workedMs,
  });
  const slots = new Slots();
  let count = 0;
  let ending: string | undefined;

  const remove = (session: Session) => {
    const { uuid } = session.peer;
    changes.forget(session);
    turn.forget(session);
    const streams = byPeer.get(uuid) ?? [];
    const left = streams.filter((other) => other !== session);
    if (left.length === streams.length) return;
    count--;
    slots.giveBack(session.slot);
    if (left.length > 0) {
      byPeer.set(uuid, left);
      return;
    }
    byPeer.delete(uuid);
    if (!session.memory.isEmpty()) keepMemory(memories, uuid, session.memory);
  };
  const turn: TurnBudget<Session> = turnBudget({
    later: (action) => void nextTurn().then(action),
    resume: (session) => session.takeDeferred(),
    monotonic,
  });
  const services = servicesOf(options, turn, remove);
  const usesResponses = forgetResponses(services, () => count > 0);
  const memoryOf = (uuid: string) => {
    const [other] = byPeer.get(uuid) ?? [];
    const memory = other?.memory ?? memories.get(uuid) ?? refusalMemory();
    memories.delete(uuid);
    return memory;
  };

  return {
    told: () => changes.refreshed(),
    open(protocol, certificate, transport) {
      if (ending !== undefined) {
        transport.end("UNAVAILABLE", ending);
        return undefined;
      }
      const admitted = admit(options, count, certificate);
      if ("code" in admitted) {
        refuse(options, certificate, transport, admitted);
        return undefined;
      }
      const { peer, commonName } = admitted;
      const session = new Session(services, {
        slot: slots.take(),
        peer,
        protocol,
        transport,
        nodeIds: [commonName, peer.uuid],
        memory: memoryOf(peer.uuid),
      });
      const streams = (byPeer.get(peer.uuid) ?? []).concat(session);
      byPeer.set(peer.uuid, streams);
      count++;
      usesResponses();
      const [oldest] = streams;
      if (streams.length > limits.streamsPerPeerMax) {
        oldest?.end("ABORTED", `the proxy has opened more than ${limits.streamsPerPeerMax} streams`, "limit");
      }
      session.follow(() => tables.subscribe(peer, () => changes.mark(session)));
      return session;
    },
    endPeer(uuid, reason) {
      for (const session of byPeer.get(uuid) ?? []) session.end("PERMISSION_DENIED", reason, "identity");
    },
    async endAll(reason) {
      ending = reason;
      await endInTurns(byPeer.values(), (streams) => {
        for (const session of streams) session.end("UNAVAILABLE", reason);
      });
    },
  };
}

function servicesOf(
  options: SessionsOptions,
  turn: SessionServices["turn"],
  onOver: SessionServices["onOver"],
): SessionServices {
  return {
    ...options,
    difference: tableDifference(),
    responses: sharedResponses(),
    encoded: { delta: encodedResponses(deltaResponseEncoder()), sotw: encodedResponses(encodeSotwResponse) },
    readDeltaRequest: deltaRequestReader(),
    turn,
    onOver,
  };
}

/** Has shared responses forgotten a while after the last use; the returned function says that there are streams. */
function forgetResponses({ responses, encoded, clock }: SessionServices, hasStreams: () => boolean): () => void {
  let rounds = 0;
  const age = () => {
    for (const cache of [responses, encoded.delta, encoded.sotw]) cache.age();
    // What is not asked for between two rounds is gone after the second.
    rounds = hasStreams() ? 2 : rounds - 1;
    if (rounds > 0) clock.after(AGE_MS, age);
  };
  return () => {
    if (rounds === 0) clock.after(AGE_MS, age);
    rounds = 2;
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
  // Of the reasons here only a full server is none of the client's doing.
  transport.end(code, message, reason === "limit");
}

function keepMemory(memories: Map<string, RefusalMemory>, uuid: string, memory: RefusalMemory): void {
  memories.delete(uuid);
  memories.set(uuid, memory);
  const oldest = memories.keys().next().value;
  if (memories.size > MEMORIES_MAX && oldest !== undefined) memories.delete(oldest);
}
