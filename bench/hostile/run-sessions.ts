/** Sends hostile sessions to a server, some at a time, and says what became of them. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Disguise, HostileSession } from "./hostile-session.ts";
import { hostileSessions } from "./sessions.ts";

export interface Credential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface HostileTarget {
  readonly host: string;
  readonly port: number;
  readonly rootsPem: string;
  readonly serverName: string;
  /** Of a proxy of the mesh that behaves badly. */
  readonly proxy: Credential & { readonly uuid: string };
  /** Of a CA that the server does not know. */
  readonly foreign: Credential;
  /** Addresses of this machine that sessions come from, in turn. */
  readonly from: readonly string[];
}

export interface HostileOptions {
  readonly count: number;
  /** How many there were before: addresses go on where those ended. */
  readonly before: number;
  /** Sessions at a time; enough of them, that one begins in time while others wait to be let in. */
  readonly atOnce: number;
  /** Sessions that begin in a second. */
  readonly perSecond: number;
  /** How long a session waits for the server to end it after it has said all; it ends itself then (ms). */
  readonly lingerMs: number;
  readonly random: () => number;
}

/** How sessions ended, by name. */
export interface HostileOutcome {
  readonly endedByServer: ReadonlyMap<string, number>;
  readonly endedByUs: ReadonlyMap<string, number>;
  /** How long it took until the last of them began. */
  readonly beganWithinMs: number;
}

/** Longest that a connection may take to come about (ms); who is not let in by then comes again. */
const CONNECT_MS = 5_000;

/** Runs `count` sessions: each of the known ones in turn. */
export async function runHostileSessions(target: HostileTarget, options: HostileOptions): Promise<HostileOutcome> {
  const endedByServer = new Map<string, number>();
  const endedByUs = new Map<string, number>();
  const startedAt = performance.now();
  let next = 0;
  let lastBeganAt = startedAt;
  const worker = async () => {
    while (next < options.count) {
      const turn = next++;
      const session = hostileSessions[turn % hostileSessions.length];
      if (session === undefined) return;
      const early = startedAt + (turn * 1000) / options.perSecond - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      lastBeganAt = performance.now();
      const from = target.from[(options.before + turn) % target.from.length];
      const outcome = (await runSession(target, from, session, options)) ? endedByServer : endedByUs;
      outcome.set(session.name, (outcome.get(session.name) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return { endedByServer, endedByUs, beganWithinMs: lastBeganAt - startedAt };
}

/** Resolves with whether the server ended the session. */
async function runSession(
  target: HostileTarget,
  from: string | undefined,
  session: HostileSession,
  options: HostileOptions,
): Promise<boolean> {
  const socket = connectAs(session.as, target, from);
  // What the server does to such a session is its right.
  socket.on("error", () => undefined);
  socket.resume();
  const closed = new Promise<true>((resolve) => socket.once("close", () => resolve(true)));
  try {
    const connected = new Promise<boolean>((resolve) =>
      socket.once(session.as === "anybody" ? "connect" : "secureConnect", () => resolve(false)),
    );
    if (await within(CONNECT_MS, Promise.race([connected, closed]))) return true;
    for (const piece of session.pieces(options.random, target.proxy.uuid)) {
      if (socket.destroyed) return true;
      socket.write(piece);
    }
    return await within(options.lingerMs, closed);
  } finally {
    socket.destroy();
    await closed;
  }
}

/** False when it takes longer. */
async function within(ms: number, ended: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const result = await Promise.race([ended, over]);
  clearTimeout(timer);
  return result;
}

function connectAs(disguise: Disguise, target: HostileTarget, from: string | undefined): Socket {
  const { host, port, rootsPem, serverName } = target;
  const place = { host, port, ...(from === undefined ? {} : { localAddress: from }) };
  if (disguise === "anybody") return connectTcp(place);
  const credential = disguise === "foreign certificate" ? target.foreign : target.proxy;
  return connectTls({
    ...place,
    ca: rootsPem,
    servername: serverName,
    ALPNProtocols: ["h2"],
    ...(disguise === "no certificate" ? {} : { cert: credential.certificatePem, key: credential.privateKeyPem }),
    ...(disguise === "old TLS" ? { maxVersion: "TLSv1.2" as const } : {}),
  });
}
