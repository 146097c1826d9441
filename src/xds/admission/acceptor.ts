import type { Server, Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { Clock } from "../../lib/mod.ts";
import { nextTurn, workedMs } from "../../platform/mod.ts";
import { type ClientCertificate, peerIdentity } from "../client-certificate.ts";
import { endInTurns } from "../ending-in-turns.ts";
import type { TransportMetrics } from "../transport.ts";
import { AddressRecord, type AddressRecordOptions } from "./address-record.ts";
import { type Admission, admission } from "./admission.ts";
import type { Conduct, Judge } from "./conduct.ts";
import { HandshakesInProgress } from "./handshakes-in-progress.ts";
import { listenOn, portOf } from "./listeners.ts";
import { PendingConnection } from "./pending-connection.ts";
import { PendingConnections } from "./pending-connections.ts";
import { tlsContext, type XdsServerCredentials } from "./server-credentials.ts";
import { trustCheck } from "./trust-check.ts";

/** A connection whose handshake takes longer is closed. */
const HANDSHAKE_MS = 5_000;
/**
 * Of the connections that those who were let in leave room for, those who were not may hold so much: the rest is there for the
 * next ones, while these are ended. Of 24,000 it is 16,000, so that 10,000 proxies behind one address may come back at once.
 */
const PENDING_SHARE = 2 / 3;

export interface AcceptorOptions {
  readonly credentials: XdsServerCredentials;
  /** 48 bytes that seal TLS session tickets; random ones of this process when undefined. */
  readonly ticketKeys?: Buffer;
  readonly connectionsMax: number;
  /** Others listen on the same port; the system deals connections out among them. */
  readonly reusePort?: boolean;
  /** How often streams have been told of a change so far: what handshakes cost is found beside it. */
  readonly told?: () => number;
  /** A connection that speaks HTTP/2 and whose client has shown a certificate that the CA in force has issued. */
  readonly onConnection: (socket: TLSSocket, certificate: ClientCertificate, conduct: Conduct) => void;
  readonly onHeldBack: AddressRecordOptions["onHeldBack"];
  readonly clock: Clock;
  readonly metrics: TransportMetrics;
}

/**
 * Listens, and leads connections through their TLS handshake: few at a time, addresses in turn, each one's oldest first. Addresses
 * whose connections came to nothing are held back.
 */
export interface Acceptor {
  listen(address: string): Promise<string>;
  renewCredentials(credentials: XdsServerCredentials): void;
  renewTicketKeys(keys: Buffer): void;
  /** Takes in no more. */
  close(): void;
  /** Drops all connections, whatever became of them, some in each turn. */
  destroy(): Promise<void>;
}

export function createAcceptor(options: AcceptorOptions): Acceptor {
  const listeners = new Set<Server>();
  let isClosed = false;
  const metrics = handshakeMetrics(options.metrics);
  const tls = tlsServer(options.credentials, options.ticketKeys);
  const trust = trustCheck(options.credentials.clientCaPem);
  let { ticketKeys } = options;

  // The bytes that came already are given on by node:tls.
  const connections = takeIn(options, metrics, (connection) => void tls.emit("connection", connection.release()));

  tls.on("secureConnection", (socket: TLSSocket) => {
    const conduct = connections.secured(socket);
    connections.done();
    socket.on("error", () => undefined);
    const peer = peerIdentity(socket);
    const isResumed = socket.isSessionReused();
    // What a resumed session says of its client was verified when the session began.
    const isTrusted = peer !== undefined && (!isResumed || trust.isTrusted(peer.certificate));
    if (isClosed || socket.alpnProtocol !== "h2" || !isTrusted) {
      metrics.ended("refused");
      socket.destroy();
      return;
    }
    metrics.ended(isResumed ? "resumed" : "full");
    conduct.secured();
    options.onConnection(socket, peer.read, conduct);
  });
  tls.on("tlsClientError", () => {
    connections.done();
    metrics.ended("failed");
  });

  return {
    async listen(address) {
      const added = await listenOn(address, {
        onConnection: connections.accept,
        onError: () => metrics.ended("failed"),
        isShared: options.reusePort ?? false,
      });
      for (const listener of added) listeners.add(listener);
      const [first] = added;
      const port = first === undefined ? undefined : portOf(first);
      return port === undefined ? address : address.replace(/:\d+$/, `:${port}`);
    },
    renewCredentials(credentials) {
      trust.renew(credentials.clientCaPem);
      tls.setSecureContext(tlsContext(credentials));
      // A new context begins with random keys.
      if (ticketKeys !== undefined) tls.setTicketKeys(ticketKeys);
    },
    renewTicketKeys(keys) {
      ticketKeys = keys;
      tls.setTicketKeys(keys);
    },
    close() {
      isClosed = true;
      connections.judgeNoMore();
      for (const listener of listeners) listener.close();
    },
    destroy: () => connections.destroy(),
  };
}

interface Connections {
  accept(socket: Socket): void;
  /** A handshake that was begun is over. */
  done(): void;
  /** The handshake of this socket is over; what its connection does from now on is to be said to what is returned. */
  secured(socket: TLSSocket): Conduct;
  /** What ends from now on is ended by us. */
  judgeNoMore(): void;
  destroy(): Promise<void>;
}

/** Everybody who connects, until they leave: bounds who is there, and calls `start` for one when its turn has come. */
function takeIn(
  options: AcceptorOptions,
  handshakes: HandshakeMetrics,
  start: (connection: PendingConnection) => void,
): Connections {
  const { connectionsMax, clock } = options;
  const sockets = new Set<Socket>();
  const pending = new PendingConnections<PendingConnection>();
  const record = new AddressRecord(options);
  const queue = admission<PendingConnection>({
    start(connection, wasHeldBack) {
      pending.remove(connection);
      begun.add(connection, wasHeldBack);
      start(connection);
    },
    originOf: ({ address }) => address,
    record,
    onHeldBack: () => handshakes.heldBack(),
    later: (action) => void nextTurn().then(action),
    workedMs,
    told: options.told ?? (() => 0),
    clock,
  });
  let isJudging = true;
  const begun = new HandshakesInProgress(judgeOf(record, queue, () => isJudging));
  observeQueue(options.metrics, queue, record);

  const forget = (connection: PendingConnection) => {
    sockets.delete(connection.socket);
    pending.remove(connection);
    queue.remove(connection);
    connection.leave();
  };
  const turnAway = (connection: PendingConnection, reason: TurnedAway) => {
    handshakes.turnedAway(reason);
    connection.socket.destroy();
    forget(connection);
  };
  const makeRoom = () => {
    const letIn = sockets.size - pending.size;
    const room = connectionsMax - letIn;
    while (pending.size > Math.ceil(room * PENDING_SHARE)) {
      const connection = pending.takeOldestOfMost();
      if (connection === undefined) return;
      turnAway(connection, room > 0 ? "displaced" : "full");
    }
  };
  const accept = (socket: Socket) => {
    sockets.add(socket);
    const connection = new PendingConnection(socket, {
      clock,
      onHello: () => queue.add(connection),
      onWrong() {
        handshakes.ended("failed");
        socket.destroy();
      },
      onLate: () => turnAway(connection, "late"),
    });
    socket.once("close", () => forget(connection));
    pending.add(connection, connection.address);
    makeRoom();
  };
  return {
    accept,
    done: () => queue.done(),
    secured: (socket) => begun.take(socket),
    judgeNoMore() {
      isJudging = false;
    },
    destroy: () => endInTurns(sockets, (socket) => socket.destroy()),
  };
}

function judgeOf(record: AddressRecord, queue: Admission<PendingConnection>, isJudging: () => boolean): Judge {
  return {
    proven({ address, wasHeldBack }) {
      record.proven(address);
      queue.proven(address, wasHeldBack);
    },
    failed({ address }, cause) {
      if (isJudging()) record.failed(address, cause);
    },
    left: ({ address }) => record.left(address),
  };
}

function observeQueue(metrics: TransportMetrics, queue: Admission<PendingConnection>, record: AddressRecord): void {
  metrics.observed("osm_xds_handshakes_queued", "Connections that wait for their handshake", () => queue.waiting);
  metrics.observed("osm_xds_handshakes_in_flight", "Handshakes under way", () => queue.underWay);
  metrics.observed("osm_xds_handshakes_held_back", "Of those that wait, how many are held back", () => queue.heldBack);
  metrics.observed(
    "osm_xds_addresses_held_back",
    "Addresses whose connections came to nothing, and whose handshakes are held back",
    () => record.heldBack(),
  );
}

function tlsServer(credentials: XdsServerCredentials, ticketKeys: Buffer | undefined): TlsServer {
  return createTlsServer({
    ...tlsContext(credentials),
    ...(ticketKeys === undefined ? {} : { ticketKeys }),
    requestCert: true,
    rejectUnauthorized: true,
    // A list of protocols would be copied for each connection into the runtime's pool of small buffers, and keep a whole slab
    // of it, up to 64 KiB, alive as long as the connection lives.
    ALPNCallback: ({ protocols }) => protocols.find((protocol) => protocol === "h2"),
    handshakeTimeout: HANDSHAKE_MS,
  });
}

/** How a connection fared: a full handshake, a resumed session, one that failed, or one that came to nothing all the same. */
type HandshakeResult = "full" | "resumed" | "failed" | "refused";
/** Why a connection got no handshake: all places are taken, its origin had the most, or it did not speak or get its turn in time. */
type TurnedAway = "full" | "displaced" | "late";

interface HandshakeMetrics {
  ended(result: HandshakeResult): void;
  /** One has to wait for the sake of its address. */
  heldBack(): void;
  turnedAway(reason: TurnedAway): void;
}

function handshakeMetrics(metrics: TransportMetrics): HandshakeMetrics {
  const handshakes = metrics.counter("osm_xds_handshakes_total", "TLS handshakes of proxies, by result");
  const turnedAway = metrics.counter(
    "osm_xds_connections_turned_away_total",
    "Connections that were ended before their handshake, by reason",
  );
  const heldBack = metrics.counter(
    "osm_xds_handshakes_held_back_total",
    "Connections from addresses whose connections came to nothing: they wait in a queue of their own",
  );
  return {
    heldBack: () => heldBack.add(),
    ended: (result) => handshakes.add(1, { result }),
    turnedAway: (reason) => turnedAway.add(1, { reason }),
  };
}
