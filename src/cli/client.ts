import { lstatSync } from "node:fs";
import process from "node:process";
import type { SocketPaths } from "../admin/api.ts";
import { type HostPort, parseHostPort } from "../lib/mod.ts";
import { describeAddress, type Question, RequestError, requestJson } from "../platform/json-request.ts";
import { type CommandContext, CommandError, EXIT, type ParsedFlags, stringFlag } from "./command.ts";

const DEFAULT_ADMIN = "127.0.0.1:9091";
/** Whoever listens there may be anything. What a mesh itself takes time for goes over its sockets. */
const ADMIN_TIMEOUT_MS = 10_000;

/** Talks to a running mesh: to its admin address, and to its sockets for what hands out keys or runs commands. */
export interface MeshClient {
  /** JSON of an admin path. */
  get(path: string): Promise<unknown>;
  control(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown>;
  node(method: "GET" | "POST", path: string): Promise<unknown>;
}

/** The mesh that `--admin`, OSM_ADMIN or the default address names. */
export function meshClient(flags: ParsedFlags, context: CommandContext): MeshClient {
  const flag = stringFlag(flags, "admin");
  const where = flag ?? (context.env["OSM_ADMIN"] || DEFAULT_ADMIN);
  const admin = requireHostPort(where, flag === undefined ? "OSM_ADMIN" : "--admin");
  const get = (path: string) =>
    ask({ address: admin, path, method: "GET", timeoutMs: ADMIN_TIMEOUT_MS, signal: context.signal });
  const over = async (which: keyof SocketPaths, method: "GET" | "POST", path: string, body?: unknown) => {
    const sockets = (await get("/debug/sockets")) as SocketPaths;
    const socketPath = sockets[which];
    if (socketPath === null) {
      throw new CommandError(
        `The mesh at ${describeAddress(admin)} runs no pods (it was started with --no-pods), so there is nothing to run this in`,
      );
    }
    requireOwn(socketPath);
    return await ask({ address: { socketPath }, path, method, body, signal: context.signal });
  };
  return {
    get,
    control: (method, path, body) => over("control", method, path, body),
    node: (method, path) => over("node", method, path),
  };
}

/**
 * Whoever was first to listen on the admin port names the socket, and what is heard over that is run and written here: it must
 * be our own.
 */
function requireOwn(socketPath: string): void {
  const owner = lstatSync(socketPath, { throwIfNoEntry: false })?.uid;
  if (owner !== undefined && owner !== (process.getuid?.() ?? owner)) throw notOurs(socketPath);
}

function notOurs(socketPath: string): CommandError {
  return new CommandError(`${socketPath} belongs to the user who runs the mesh; run this command as that user`);
}

/** Splits `HOST:PORT` (IPv6 in brackets). Throws {@link CommandError} naming `what` and the value. */
export function requireHostPort(value: string, what: string): HostPort {
  const address = parseHostPort(value);
  if (address !== undefined) return address;
  throw new CommandError(`${what} is HOST:PORT, for example 127.0.0.1:15128; found "${value}"`, EXIT.usage);
}

/** The same question, with a failure told to whoever typed the command. */
async function ask(question: Question): Promise<unknown> {
  try {
    return await requestJson(question);
  } catch (error) {
    throw error instanceof RequestError ? explained(error, question) : error;
  }
}

function explained({ code, message, cause }: RequestError, { address, signal }: Question): CommandError {
  const where = describeAddress(address);
  if (code === "refused") return new CommandError(message);
  if (code === "foreign") return new CommandError(`${message}: is it the admin address of a mesh?`, EXIT.unreachable);
  if (signal?.aborted === true) return new CommandError(`Stopped before ${where} had answered`);
  const { code: systemCode, message: words } = cause as NodeJS.ErrnoException;
  if (systemCode === "EACCES") return notOurs(where);
  return new CommandError(
    `No mesh answers at ${where} (${systemCode ?? words}); start one with "osm serve DIR", or name it with --admin`,
    EXIT.unreachable,
  );
}
