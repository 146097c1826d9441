import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "../lib/mod.ts";
import { http } from "../platform/http.ts";
import type { ErrorBody } from "./api.ts";

/** An answer other than 200 that a handler gives on purpose. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface HttpRequest {
  /** Values of the `:name` segments of the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The whole body as JSON; undefined when empty. Bounded; throws {@link HttpProblem} when it is no JSON. */
  json(): Promise<unknown>;
  /** The body as it arrives. */
  readonly raw: IncomingMessage;
}

export interface HttpAnswer {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: string;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** `/debug/proxies/:namespace/:pod/config`. */
  readonly path: string;
  readonly handle: (request: HttpRequest) => Promise<HttpAnswer> | HttpAnswer;
}

export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface HttpListener {
  /** The port in use; 0 for a unix socket. */
  readonly port: number;
  close(): Promise<void>;
}

const BODY_MAX_BYTES = 1024 * 1024;

/** Answers `value` as indented JSON. */
export function json(value: unknown, status = 200): HttpAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

/** Answers `body` as text. */
export function text(body: string, status = 200): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** Serves `routes` at `address`. Rejects when the address cannot be bound. */
export async function listenHttp(options: {
  readonly address: ListenAddress;
  readonly routes: readonly Route[];
  readonly log: Log;
}): Promise<HttpListener> {
  const server = http.createServer((request, response) => {
    void answer(options.routes, request, response, options.log);
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen("path" in options.address ? { path: options.address.path } : options.address, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  return { port: isPort(bound) ? bound.port : 0, close: () => close(server) };
}

function isPort(bound: string | AddressInfo | null): bound is AddressInfo {
  return bound !== null && typeof bound === "object" && typeof bound.port === "number";
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  let result: HttpAnswer;
  try {
    result = await dispatch(routes, request);
  } catch (error) {
    // Whoever hung up before its request was complete waits for no answer, and that is its right.
    if (request.destroyed && !request.complete) return;
    const status = error instanceof HttpProblem ? error.status : 500;
    const message = error instanceof Error ? error.message : String(error);
    if (status >= 500) log.error("An admin request failed", { path: pathOf(request), status, error: message });
    result = json({ error: message } satisfies ErrorBody, status);
  }
  if (response.destroyed) return;
  response.writeHead(result.status ?? 200, {
    "content-type": result.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(result.body),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : result.body);
}

const pathOf = (request: IncomingMessage) => (request.url ?? "/").split("?")[0] ?? "/";

async function dispatch(routes: readonly Route[], request: IncomingMessage): Promise<HttpAnswer> {
  const url = URL.parse(request.url ?? "/", "http://localhost");
  if (url === null) throw new HttpProblem(400, `"${request.url}" is no path`);
  const method = request.method === "HEAD" ? "GET" : request.method;
  let isKnownPath = false;
  for (const route of routes) {
    const params = matchPath(route.path, url.pathname);
    if (params === undefined) continue;
    isKnownPath = true;
    if (route.method !== method) continue;
    return await route.handle({
      params,
      query: url.searchParams,
      json: () => readJson(request),
      raw: request,
    });
  }
  if (isKnownPath) throw new HttpProblem(405, `${request.method ?? "?"} is not answered at ${url.pathname}`);
  throw new HttpProblem(404, `Nothing is served at ${url.pathname}`);
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const found = path.split("/");
  if (wanted.length !== found.length) return undefined;
  const params: Record<string, string> = {};
  for (const [position, segment] of wanted.entries()) {
    const value = found[position] ?? "";
    if (!segment.startsWith(":")) {
      if (segment !== value) return undefined;
      continue;
    }
    const decoded = decodeSegment(value);
    if (decoded === undefined || decoded === "") return undefined;
    params[segment.slice(1)] = decoded;
  }
  return params;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_MAX_BYTES) throw new HttpProblem(413, `The body is longer than ${BODY_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new HttpProblem(400, "The body is no JSON");
  }
}
