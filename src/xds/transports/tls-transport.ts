import type { TLSSocket } from "node:tls";
import type { Clock } from "../../lib/mod.ts";
import { createAcceptor } from "../admission/acceptor.ts";
import type { AddressRecordOptions } from "../admission/address-record.ts";
import type { Conduct } from "../admission/conduct.ts";
import type { XdsServerCredentials } from "../admission/server-credentials.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import { endInTurns } from "../ending-in-turns.ts";
import type { AcceptStream, Transport, TransportLimits, TransportMetrics } from "../transport.ts";
import { ConnectionKeeper, type KeptConnection } from "./connection-keeper.ts";

export interface TransportOptions {
  readonly accept: AcceptStream;
  readonly credentials: XdsServerCredentials;
  /** 48 bytes that seal TLS session tickets; random ones of this process when undefined. */
  readonly ticketKeys?: Buffer;
  readonly limits: TransportLimits;
  /** Listen where other threads listen as well. */
  readonly reusePort?: boolean;
  /** How often streams have been told of a change so far. */
  readonly told?: () => number;
  /** Handshakes from an address have to wait from now on, for the cause given. */
  readonly onHeldBack: AddressRecordOptions["onHeldBack"];
  readonly clock: Clock;
  readonly metrics: TransportMetrics;
}

/** How long `close` waits for the ends of streams to reach their clients. */
const DRAIN_MS = 1_000;
const LOOK_MS = 10;

/** A transport over our own acceptor; `serve` speaks HTTP/2 and gRPC on each connection. */
export function tlsTransport(
  options: TransportOptions,
  serve: (socket: TLSSocket, certificate: ClientCertificate, conduct: Conduct) => KeptConnection,
): Transport {
  const { clock } = options;
  const keeper = new ConnectionKeeper(clock);
  const acceptor = createAcceptor({
    ...options,
    connectionsMax: options.limits.connectionsMax,
    onConnection(socket, certificate, conduct) {
      const forget = keeper.add(serve(socket, certificate, conduct), certificate.notAfterMs);
      socket.once("close", forget);
    },
  });
  return {
    listen: (address) => acceptor.listen(address),
    renewCredentials: (credentials) => acceptor.renewCredentials(credentials),
    renewTicketKeys: (keys) => acceptor.renewTicketKeys(keys),
    async close() {
      acceptor.close();
      await endInTurns(keeper.connections(), (connection) => connection.close());
      const lastMs = clock.monotonic() + DRAIN_MS;
      while (keeper.count > 0 && clock.monotonic() < lastMs) {
        await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
      }
      await endInTurns(keeper.connections(), (connection) => connection.destroy());
      await acceptor.destroy();
    },
  };
}
