import { createHash } from "node:crypto";
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import type { ServeOptions } from "../main/mod.ts";
import { requireHostPort } from "./client.ts";
import {
  type Command,
  type CommandContext,
  CommandError,
  EXIT,
  type Flag,
  onlyPositional,
  type ParsedFlags,
  stringFlag,
} from "./command.ts";
import { findEnvoy } from "./envoy-program.ts";

const THREADS_MAX = 64;
const TRANSPORTS: readonly NonNullable<ServeOptions["transport"]>[] = ["framed", "http2", "grpc-js"];
/** What was said last has been written by then. */
const LAST_WORDS_MS = 200;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Flags of everything that starts a mesh. */
export const SERVE_FLAGS: Readonly<Record<string, Flag>> = {
  "no-pods": {
    type: "boolean",
    help: "run no pods: take Pods (status.podIP) and EndpointSlices from the folder as they stand",
  },
  "ca-dir": {
    type: "string",
    value: "DIR",
    help: "ca.crt and private.key of the mesh CA, made when missing (default: in the state dir)",
  },
  "state-dir": {
    type: "string",
    value: "DIR",
    help: "what must survive a restart, and the sockets (default: in the user's cache, by folder)",
  },
  xds: { type: "string", value: "HOST:PORT", help: "where proxies connect (default 127.0.0.1:15128; port 0: any)" },
  admin: {
    type: "string",
    value: "HOST:PORT",
    help: "health, metrics and debug (default 127.0.0.1:9091; port 0: any)",
  },
  "ready-file": {
    type: "string",
    value: "FILE",
    help: "JSON with the addresses in use, written when the mesh is ready",
  },
  workers: { type: "string", value: "N", help: "threads that generate configuration; 0: none (default 1)" },
  transport: {
    type: "string",
    value: "NAME",
    help: "what carries xDS: framed (own HTTP/2 frames), http2 (the runtime's) or grpc-js (default framed)",
  },
  "stream-threads": {
    type: "string",
    value: "N",
    help: "threads that carry the proxies' connections, for machines with many cores; 0: none (default 0)",
  },
  "end-with-stdin": {
    type: "boolean",
    help: "end when standard input is closed, so that whatever started this leaves nothing behind",
  },
  "mesh-name": { type: "string", value: "NAME", help: 'value of openservicemesh.io/monitored-by (default "osm")' },
  "osm-namespace": { type: "string", value: "NS", help: 'namespace of the control plane (default "osm-system")' },
  "trust-domain": { type: "string", value: "DOMAIN", help: 'suffix of identities (default "cluster.local")' },
};

export const serveCommand: Command = {
  name: "serve",
  usage: "DIR [--no-pods] [--xds HOST:PORT] [--admin HOST:PORT] [...]",
  summary: "Run a mesh from a folder of manifests, with real Envoys beside local pods",
  flags: SERVE_FLAGS,
  examples: ["osm serve demo/bookstore", "osm serve manifests --no-pods --xds 127.0.0.1:0 --ready-file /tmp/mesh.json"],
  async run(flags, context) {
    const directory = resolve(context.cwd, onlyPositional(flags, "serve", "DIR"));
    const options = serveOptions(directory, flags, context);
    const envoy = options.hasPods ? findEnvoy(context, "serve") : undefined;
    const { serve, StartError } = await import("../main/mod.ts");
    const endsWithStdin = flags.values["end-with-stdin"] === true;
    try {
      await serve(options, {
        signal: endsWithStdin ? endedWithStdin(context.signal) : context.signal,
        write: context.write,
        note: context.note,
        env: envoy === undefined ? context.env : { ...context.env, OSM_ENVOY: envoy },
      });
      return EXIT.ok;
    } catch (error) {
      if (error instanceof StartError) throw new CommandError(`osm serve: ${error.message}`);
      throw error;
    } finally {
      if (endsWithStdin) letGoOfStdin();
    }
  },
};

function endedWithStdin(signal: AbortSignal): AbortSignal {
  const closed = new AbortController();
  const end = () => closed.abort();
  // A pipe whose other end was killed may also end with an error.
  process.stdin.once("end", end).once("close", end).once("error", end).resume();
  return AbortSignal.any([signal, closed.signal]);
}

/** An open pipe that is read keeps the process. */
function letGoOfStdin(): void {
  process.stdin.destroy();
  // Deno goes on reading; where nothing else is left this is never reached.
  setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
}

/** Checks every flag of `serve`. Throws {@link CommandError} naming the value that is wrong. */
function serveOptions(dir: string, flags: ParsedFlags, context: CommandContext): ServeOptions {
  requireFolder(dir);
  const stateDir = resolve(context.cwd, stringFlag(flags, "state-dir") ?? defaultStateDir(dir, context));
  const caDir = stringFlag(flags, "ca-dir");
  const readyFile = stringFlag(flags, "ready-file");
  return {
    dir,
    hasPods: flags.values["no-pods"] !== true,
    stateDir,
    caDir: caDir === undefined ? join(stateDir, "ca") : resolve(context.cwd, caDir),
    xds: requireHostPort(stringFlag(flags, "xds") ?? "127.0.0.1:15128", "osm serve: --xds"),
    admin: requireHostPort(stringFlag(flags, "admin") ?? "127.0.0.1:9091", "osm serve: --admin"),
    ...(readyFile === undefined ? {} : { readyFile: resolve(context.cwd, readyFile) }),
    workers: workerCount(stringFlag(flags, "workers") ?? "1", "serve"),
    ...transportOf(stringFlag(flags, "transport")),
    streamThreads: streamThreadCount(flags),
    meshName: named(stringFlag(flags, "mesh-name") ?? "osm", "--mesh-name", DNS_LABEL),
    osmNamespace: named(stringFlag(flags, "osm-namespace") ?? "osm-system", "--osm-namespace", DNS_LABEL),
    trustDomain: named(stringFlag(flags, "trust-domain") ?? "cluster.local", "--trust-domain", DNS_NAME),
  };
}

function requireFolder(dir: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(dir).isDirectory();
    if (isFolder) accessSync(dir, constants.R_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const reason = code === "ENOENT" ? "it does not exist" : `it cannot be read (${code})`;
    throw new CommandError(`osm serve: the folder ${dir} cannot be served: ${reason}`, EXIT.usage);
  }
  if (!isFolder)
    throw new CommandError(`osm serve: ${dir} is no folder; give the folder that holds the manifests`, EXIT.usage);
}

function defaultStateDir(dir: string, context: CommandContext): string {
  const cache = context.env["XDG_CACHE_HOME"] || join(context.env["HOME"] || homedir(), ".cache");
  return join(cache, "osm", "serve", createHash("sha256").update(dir).digest("hex").slice(0, 16));
}

/** Checks the value of `--workers`. */
export function workerCount(value: string, command: string): number {
  return threadCount(value, command, "workers");
}

function threadCount(value: string, command: string, flag: string): number {
  if (/^\d+$/.test(value) && Number(value) <= THREADS_MAX) return Number(value);
  throw new CommandError(
    `osm ${command}: --${flag} is a number from 0 to ${THREADS_MAX}, found "${value}"`,
    EXIT.usage,
  );
}

function streamThreadCount(flags: ParsedFlags): number {
  const count = threadCount(stringFlag(flags, "stream-threads") ?? "0", "serve", "stream-threads");
  const transport = stringFlag(flags, "transport") ?? "framed";
  if (count === 0 || transport === "framed") return count;
  const found = `found "${transport}"`;
  throw new CommandError(`osm serve: --stream-threads go with --transport framed alone, ${found}`, EXIT.usage);
}

function transportOf(value: string | undefined): Pick<ServeOptions, "transport"> {
  if (value === undefined) return {};
  const transport = TRANSPORTS.find((name) => name === value);
  if (transport !== undefined) return { transport };
  throw new CommandError(`osm serve: --transport is one of ${TRANSPORTS.join(", ")}, found "${value}"`, EXIT.usage);
}

function named(value: string, flag: string, pattern: RegExp): string {
  if (value.length <= 253 && pattern.test(value)) return value;
  throw new CommandError(`osm serve: ${flag} is a DNS name in lower case, found "${value}"`, EXIT.usage);
}
