/**
 * What the demo's programs share: an HTTP server, calls that are counted by outcome, and one line of JSON a second about
 * them. They know nothing of the mesh: that is the point.
 */

import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Server } from "node:net";
import process from "node:process";

/** How calls from one program to another have ended since it started. */
export interface CallCount {
  /** The Service that was called. */
  readonly to: string;
  /** Who says that it answered; empty when nobody did. */
  readonly answeredBy: string;
  /** An HTTP status, `stored`, or why there was no answer: `refused`, `reset`, `timeout`, `unresolved`. */
  readonly outcome: string;
  readonly count: number;
}

/** The line of JSON that every program that makes calls prints each second, when something has happened. */
export interface AppReport {
  readonly app: string;
  readonly calls: readonly CallCount[];
}

const CALL_KINDS_MAX = 100;
const REQUEST_TIMEOUT_MS = 5000;
const STOP_MS = 2000;

/** A setting from the environment: `env("IDENTITY", "bookstore")`. */
export function env(name: string, otherwise: string): string {
  return process.env[name] ?? otherwise;
}

/** As {@link env}, for numbers. */
export function numberFrom(name: string, otherwise: number): number {
  const value = Number(env(name, String(otherwise)));
  return Number.isFinite(value) && value >= 0 ? value : otherwise;
}

/** `SERVICE.NAMESPACE`, or the service alone when the namespace is empty. */
export function hostOf(service: string, namespace: string): string {
  return namespace === "" ? service : `${service}.${namespace}`;
}

/** Value of the flag `--port`, else `otherwise`. */
export function portFlag(otherwise: number): number {
  const at = process.argv.indexOf("--port");
  const value = Number(at < 0 ? otherwise : process.argv[at + 1]);
  return Number.isInteger(value) ? value : otherwise;
}

/** Counts calls and prints an {@link AppReport} each second, and at once when a call ends in a way not seen before. */
export function callCounter(app: string) {
  const counts = new Map<string, CallCount>();
  let printed = "";
  const print = () => {
    const line = JSON.stringify({ app, calls: [...counts.values()] } satisfies AppReport);
    if (line !== printed) console.log(line);
    printed = line;
  };
  setInterval(print, 1000).unref();
  return {
    add(to: string, answeredBy: string, outcome: string, count = 1): void {
      const key = `${to} ${answeredBy} ${outcome}`;
      const isNew = !counts.has(key);
      if (isNew && counts.size >= CALL_KINDS_MAX) return;
      counts.set(key, { to, answeredBy, outcome, count: (counts.get(key)?.count ?? 0) + count });
      if (isNew) print();
    },
    all: (): readonly CallCount[] => [...counts.values()],
  };
}
export type CallCounter = ReturnType<typeof callCounter>;

export interface Route {
  readonly method?: "GET" | "POST";
  readonly path: string | RegExp;
  readonly answer: (request: IncomingMessage) => { readonly headers?: Record<string, string>; readonly body: unknown };
}

/** Serves `routes` until SIGTERM, then finishes what is running and exits. Anything else is answered by 404. */
export async function serve(name: string, port: number, routes: readonly Route[]): Promise<void> {
  const server = createServer({ noDelay: true }, (incoming, response) => {
    incoming.resume();
    const path = (incoming.url ?? "/").split("?")[0] ?? "/";
    const route = routes.find((each) => {
      if (each.method !== undefined && each.method !== incoming.method) return false;
      return typeof each.path === "string" ? each.path === path : each.path.test(path);
    });
    if (route === undefined) send(response, 404, {}, "not found\n");
    else {
      const { headers = {}, body } = route.answer(incoming);
      send(response, 200, headers, body);
    }
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port);
  await once(server, "listening");
  console.log(`${name} listens on ${(server.address() as AddressInfo).port}`);
  onStop(server);
}

/** Header and body leave in one write: two would wait for the peer's delayed acknowledgement. */
function send(response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
  const type = typeof body === "string" ? "text/plain" : "application/json";
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

/**
 * On SIGTERM lets `server` finish what is running, then exits. The first process of a container gets no default signal
 * handlers, so stopping has to be asked for.
 */
export function onStop(server: Server): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      server.close(() => process.exit(0));
      setTimeout(() => process.exit(0), STOP_MS);
    });
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export interface Reply {
  /** As in {@link CallCount}. */
  readonly outcome: string;
  readonly headers: IncomingHttpHeaders;
}

/** One request. A kept connection that the peer closed just then is tried once more, as Go's client does. */
export async function call(
  method: "GET" | "POST",
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  try {
    return await callOnce(method, url, headers);
  } catch (error) {
    if (error instanceof StaleConnection) {
      return callOnce(method, url, headers).catch((again: unknown) => ({ outcome: outcomeOf(again), headers: {} }));
    }
    return { outcome: outcomeOf(error), headers: {} };
  }
}

class StaleConnection extends Error {
  readonly code = "ECONNRESET";
}

function callOnce(method: "GET" | "POST", url: string, headers: Readonly<Record<string, string>>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent, timeout: REQUEST_TIMEOUT_MS }, (incoming) => {
      incoming.resume();
      incoming.once("error", reject);
      incoming.once("end", () => resolve({ outcome: String(incoming.statusCode), headers: incoming.headers }));
    });
    outgoing.once("timeout", () => outgoing.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      const isStale = outgoing.reusedSocket && error.code === "ECONNRESET";
      reject(isStale ? new StaleConnection(error.message) : error);
    });
    outgoing.end();
  });
}

/** A word for an error of a socket. */
export function outcomeOf(error: unknown): string {
  const { code } = error as { readonly code?: string };
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    case "ETIMEDOUT":
      return "timeout";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "unresolved";
    default:
      return "reset";
  }
}

/** Resolves after `seconds`. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/**
 * Buys books without end, as bookbuyer and bookthief do: each round asks how many were bought and buys one. `onBook` is
 * told who sold it. Settings are those of OSM's demo.
 */
export async function buyBooks(app: string, calls: CallCounter, onBook: (seller: string) => void): Promise<void> {
  const service = env("BOOKSTORE_SVC", "bookstore");
  const host = hostOf(service, env("BOOKSTORE_NAMESPACE", "bookstore"));
  const base = `http://${host}:${numberFrom("BOOKSTORE_SVC_PORT", 14001)}`;
  const rounds = numberFrom("CI_MAX_ITERATIONS_THRESHOLD", 0) || Number.POSITIVE_INFINITY;
  const sleepSeconds = numberFrom("CI_SLEEP_BETWEEN_REQUESTS_SECONDS", 1);
  const buyer = async () => {
    for (let round = 0; round < rounds; round++) {
      for (const path of ["/books-bought", "/buy-a-book/new"]) {
        const reply = await call("GET", `${base}${path}`, { "client-app": app, "user-agent": "Go-http-client/1.1" });
        const seller = String(reply.headers["identity"] ?? "");
        calls.add(service, seller, reply.outcome);
        if (path === "/buy-a-book/new" && reply.outcome === "200") onBook(seller);
      }
      await pause(sleepSeconds);
    }
  };
  await Promise.all(Array.from({ length: numberFrom("CI_CLIENT_CONCURRENT_CONNECTIONS", 1) || 1 }, buyer));
}
