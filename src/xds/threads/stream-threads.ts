/** Threads that carry connections, all on one port; the system deals new connections out among them. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Log, Metrics } from "../../lib/mod.ts";
import { splitAddress } from "../admission/listen-address.ts";
import type { Transport } from "../transport.ts";
import { framedTransport } from "../transports/framed-transport.ts";
import type { TransportOptions } from "../transports/tls-transport.ts";
import { StreamThreadKeeper } from "./stream-thread-keeper.ts";
import { SummedMetrics } from "./stream-thread-metrics.ts";

/** How connections are carried by threads. */
export interface StreamThreads {
  readonly count: number;
  /** Module that every thread loads; it calls `serveStreamThread`. */
  readonly entry: URL;
  /** Gives numbers in [0, 1), for the delays between restarts. */
  readonly random: () => number;
}

export interface StreamThreadsOptions extends TransportOptions {
  readonly threads: StreamThreads;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The system does not let threads share a port. */
export class StreamThreadsError extends Error {
  override readonly name = "StreamThreadsError";
  readonly code = "xds-stream-threads";

  constructor(address: string, cause: unknown) {
    super(`this system does not let threads share the port of ${address}; give --stream-threads 0`, { cause });
  }
}

/** A transport whose TCP connections are in threads. Unix sockets, which cannot be shared, stay on this one. */
export function streamThreadsTransport(options: StreamThreadsOptions): Transport {
  const { count } = options.threads;
  const ticketKeys = options.ticketKeys ?? randomBytes(48);
  const metrics = new SummedMetrics(options.metrics);
  const local = framedTransport({ ...options, ticketKeys, metrics });
  const limits = { ...options.limits, connectionsMax: Math.ceil(options.limits.connectionsMax / count) };
  const shared = { ...options, ...options.threads, ticketKeys, metrics, limits };
  const threads = Array.from({ length: count }, (_, n) => new StreamThreadKeeper(`streams-${n + 1}`, shared));
  return {
    async listen(address) {
      if (address.startsWith("unix:")) return local.listen(address);
      await requireFree(address);
      let bound = address;
      try {
        for (const thread of threads) bound = await thread.listen(bound);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOTSUP") throw error;
        throw new StreamThreadsError(address, error);
      }
      return bound;
    },
    renewCredentials(credentials) {
      local.renewCredentials(credentials);
      for (const thread of threads) thread.renewCredentials(credentials);
    },
    renewTicketKeys(keys) {
      local.renewTicketKeys(keys);
      for (const thread of threads) thread.renewTicketKeys(keys);
    },
    async close() {
      await Promise.all([local.close(), ...threads.map((thread) => thread.close())]);
    },
  };
}

/** Another process that shares its ports too would get a part of the connections, and nobody would be told. */
async function requireFree(address: string): Promise<void> {
  const place = splitAddress(address);
  if ("path" in place || place.port === 0) return;
  const probe = createServer();
  probe.listen(place);
  await once(probe, "listening");
  probe.close();
  await once(probe, "close");
}
