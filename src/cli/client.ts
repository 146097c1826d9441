import { request as httpRequest } from "node:http";
import type { SocketPaths } from "../admin/api.ts";
import { type CommandContext, CommandError, EXIT, type ParsedFlags, stringFlag } from "./command.ts";

const DEFAULT_ADMIN = "127.0.0.1:9091";

/** Talks to a running mesh: to its admin address, and to its sockets for what hands out keys or runs commands. */
export interface MeshClient {
  /** JSON of an admin path. */
  get(path: string): Promise<unknown>;
  control(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown>;
  node(method: "GET" | "POST", path: string): Promise<unknown>;
}

/** The mesh that `--admin`, OSM_ADMIN or the default address names. */
export function meshClient(flags: ParsedFlags, context: CommandContext): MeshClient {
  const admin = parseHostPort(stringFlag(flags, "admin") ?? context.env["OSM_ADMIN"] ?? DEFAULT_ADMIN, "--admin");
  const get = (path: string) => call({ ...admin, path, method: "GET", signal: context.signal });
  const over = async (which: keyof SocketPaths, method: "GET" | "POST", path: string, body?: unknown) => {
    const sockets = (await get("/debug/sockets")) as SocketPaths;
    const socketPath = sockets[which];
    if (socketPath === null) {
      throw new CommandError(
        `The mesh at ${admin.host}:${admin.port} runs no pods (it was started with --no-pods), so there is nothing to run this in`,
      );
    }
    return await call({ socketPath, path, method, signal: context.signal, ...(body === undefined ? {} : { body }) });
  };
  return {
    get,
    control: (method, path, body) => over("control", method, path, body),
    node: (method, path) => over("node", method, path),
  };
}

/** Splits `HOST:PORT` (IPv6 in brackets). Throws {@link CommandError} naming `what` and the value. */
export function parseHostPort(value: string, what: string): { host: string; port: number } {
  const split = value.lastIndexOf(":");
  const host = value.slice(0, Math.max(split, 0)).replace(/^\[(.*)\]$/, "$1");
  const portText = value.slice(split + 1);
  const port = Number(portText);
  if (split < 0 || host === "" || !/^\d{1,5}$/.test(portText) || port > 65535) {
    throw new CommandError(`${what} is HOST:PORT, for example 127.0.0.1:15128; found "${value}"`, EXIT.usage);
  }
  return { host, port };
}

interface Call {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

function call(options: Call): Promise<unknown> {
  const where = options.socketPath ?? `${options.host}:${options.port}`;
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...options,
        agent: false,
        headers:
          body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const textBody = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode === 200) resolve(parseBody(textBody, where));
          else reject(new CommandError(problemOf(textBody, response.statusCode ?? 0, where)));
        });
      },
    );
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EACCES") {
        reject(new CommandError(`${where} belongs to the user who runs the mesh; run this command as that user`));
      } else {
        reject(
          new CommandError(
            `No mesh answers at ${where} (${error.code ?? error.message}); start one with "osm serve DIR", or name it with --admin`,
            EXIT.unreachable,
          ),
        );
      }
    });
    request.end(body);
  });
}

function parseBody(body: string, where: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new CommandError(
      `${where} answered something that is no JSON: is it the admin address of a mesh?`,
      EXIT.unreachable,
    );
  }
}

function problemOf(body: string, status: number, where: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not ours: fall through to the plain sentence.
  }
  return `${where} answered with status ${status}`;
}
