import { connect } from "node:net";
import { http } from "../platform/http.ts";
import { type Command, CommandError, EXIT, noPositionals, stringFlag } from "./command.ts";

const DEFAULT_PORT = 15904;
const DIAL_TIMEOUT_MS = 1000;

/**
 * The probe shim of injected pods: turns an HTTP probe into a TCP connect to the application's port on this host.
 * Follows OSM's cmd/osm-healthcheck: 200 connected, 404 refused, 400 without a usable header.
 */
export const healthcheckCommand: Command = {
  name: "healthcheck",
  usage: "[--port PORT]",
  summary: "Answer rewritten TCP probes of an injected pod (runs inside the pod)",
  flags: {
    port: { type: "string", value: "PORT", help: `port to listen on (default ${DEFAULT_PORT})` },
    verbosity: { type: "string", short: "v", value: "LEVEL", help: "accepted for OSM's manifests; has no effect" },
  },
  examples: ["osm healthcheck"],
  async run(flags, context) {
    noPositionals(flags, "healthcheck");
    const port = parsePort(stringFlag(flags, "port") ?? String(DEFAULT_PORT));
    if (port === undefined)
      throw new CommandError(`osm healthcheck: --port is 1 to 65535, found "${stringFlag(flags, "port")}"`, EXIT.usage);
    const server = http.createServer((request, response) => {
      const answer = (status: number, body: string) => {
        response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(body) });
        response.end(body);
      };
      if (request.url?.split("?")[0] !== "/osm-healthcheck") return answer(404, "Nothing is served here\n");
      const target = parsePort(String(request.headers["original-tcp-port"] ?? ""));
      if (target === undefined) return answer(400, "The header Original-Tcp-Port is missing or no port\n");
      dial(target, (isOpen) => answer(isOpen ? 200 : 404, isOpen ? "OK\n" : `Port ${target} is closed\n`));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(new CommandError(`osm healthcheck: port ${port} cannot be served: ${error.message}`)),
      );
      server.listen(port, "0.0.0.0");
      context.signal.addEventListener("abort", () => server.close(() => resolve()), { once: true });
    });
    return EXIT.ok;
  },
};

function parsePort(text: string): number | undefined {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65535 ? port : undefined;
}

function dial(port: number, done: (isOpen: boolean) => void): void {
  const socket = connect({ host: "127.0.0.1", port });
  const finish = (isOpen: boolean) => {
    socket.removeAllListeners();
    socket.on("error", () => socket.destroy());
    socket.destroy();
    done(isOpen);
  };
  socket.setTimeout(DIAL_TIMEOUT_MS, () => finish(false));
  socket.once("connect", () => finish(true));
  socket.once("error", () => finish(false));
}
