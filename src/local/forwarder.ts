import type { Server } from "node:net";
import { connect, createServer } from "node:net";

const CONNECTIONS_MAX = 20_000;

/**
 * Hands every connection to `address:port` on to the unix socket `path`: the control plane's way into the pods' network,
 * in which it does not live. A control plane that is away resets the connection, as a Service without endpoints would.
 */
export function forwardToUnixSocket(options: {
  readonly address: string;
  readonly port: number;
  readonly path: string;
}): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (downstream) => {
    const upstream = connect({ path: options.path, allowHalfOpen: true });
    upstream.on("error", () => downstream.resetAndDestroy());
    downstream.on("error", () => upstream.destroy());
    upstream.on("close", () => downstream.destroySoon());
    downstream.on("close", () => upstream.destroySoon());
    downstream.pipe(upstream);
    upstream.pipe(downstream);
  });
  server.maxConnections = CONNECTIONS_MAX;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, () => resolve(server));
  });
}
