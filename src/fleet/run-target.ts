import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Clock, type HostPort, parseHostPort } from "../lib/mod.ts";
import { describeAddress, requestJson } from "../platform/json-request.ts";
import { removedAtExit } from "./at-exit.ts";
import { type CredentialSource, OSM_COMMON_NAME, OSM_SERVER_NAME, type Subject } from "./credentials.ts";
import { missingNames } from "./envoy-table.ts";
import { FolderFeed } from "./feed.ts";
import type { Target } from "./fleet-api.ts";
import type { FigureSource } from "./run-figures.ts";
import { type ServerProcess, startServer } from "./run-server.ts";
import type { Scenario } from "./scenario.ts";
import { scratchFolder } from "./scratch-folder.ts";
import type { WorldPod } from "./world-objects.ts";

/** How a control plane of this project is started: `[program, ...arguments]` before `serve`. */
export interface ServeCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** TLS and credentials for a server that is not started by the run. */
export interface Access {
  readonly tls: Target["tls"];
  readonly credentials: CredentialSource;
}

/** By what a control plane tells a pod from others. */
export type PodIdentity = Pick<WorldPod, "namespace" | "name" | "uuid">;

/** The server under test, reached. */
export interface OpenedTarget {
  readonly target: Target;
  readonly credentials: CredentialSource;
  /** Of each replica. */
  readonly figures: readonly FigureSource[];
  readonly restart: (replica: number) => Promise<number>;
  readonly drain: (replica: number) => Promise<number>;
  readonly rotate: () => Promise<void>;
  /** Does something while no replica goes on; just does it where the run has not started them. */
  readonly heldUp: <T>(work: () => T) => T;
  /** Resolves when the control plane knows these pods and no others; at once where it cannot be asked. */
  readonly knows: (pods: readonly PodIdentity[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Rotation is answered when every proxy has acknowledged. */
const ROTATE_MS = 120_000;
const ASK_MS = 10_000;
const KNOWN_MS = 60_000;
const KNOWN_LOOK_MS = 200;

/** What a scenario asks for that its target does not have. */
export class TargetError extends Error {
  override readonly name = "TargetError";
}

/** The folder that the scenario's control plane reads; made now when it is the run's own. */
export function openFeed(scenario: Scenario): {
  readonly feed: FolderFeed | undefined;
  readonly folder: string | undefined;
  readonly close: () => void;
} {
  const { target } = scenario;
  if (target.kind === "address" && target.folder === undefined)
    return { feed: undefined, folder: undefined, close() {} };
  if (target.kind === "address") {
    const feed = new FolderFeed(target.folder as string);
    return { feed, folder: target.folder, close: () => feed.close() };
  }
  const root = scratchFolder("osm-fleet-");
  const remove = removedAtExit(root);
  const folder = join(root, "mesh");
  const feed = new FolderFeed(folder);
  const close = () => {
    feed.close();
    remove();
  };
  return { feed, folder, close };
}

/** Starts the scenario's control plane over `folder`, or finds out how to reach the one that it names. */
export async function openTarget(
  scenario: Scenario,
  options: {
    readonly folder: string | undefined;
    readonly serve: ServeCommand;
    readonly access?: Access;
    readonly clock: Clock;
  },
): Promise<OpenedTarget> {
  const { target } = scenario;
  if (target.kind === "serve") return await ownServers(target, options.folder ?? "", options);
  const admin = target.admin === undefined ? undefined : hostPort(target.admin, "target.admin");
  const access = options.access ?? (admin === undefined ? undefined : await accessBy(admin));
  if (access === undefined) {
    throw new TargetError(
      "How proxies show who they are is not known: name the control plane's admin address (target.admin, --admin), or say how the server is trusted (--server-ca, --plaintext).",
    );
  }
  const { pid } = target;
  return {
    target: { address: target.address, ...(access.tls === undefined ? {} : { tls: access.tls }) },
    credentials: access.credentials,
    figures: [{ ...(admin === undefined ? {} : { admin }), ...(pid === undefined ? {} : { pid: () => pid }) }],
    // A scenario that asks for what the target does not have was refused when it was read.
    restart: () => Promise.reject(new TargetError("a server at an address cannot be started again")),
    drain: () => Promise.reject(new TargetError("a server at an address cannot be drained")),
    rotate: () =>
      admin === undefined
        ? Promise.reject(new TargetError("nobody rotates without an admin address"))
        : rotateBy(admin),
    heldUp: (work) => work(),
    knows: async (pods) => {
      if (admin !== undefined && target.folder !== undefined) await podsKnown(admin, pods, options.clock);
    },
    close: async () => {},
  };
}

/** It is ready long before it has read a folder that was written just now. */
async function podsKnown(admin: HostPort, pods: readonly PodIdentity[], clock: Clock): Promise<void> {
  const written = new Set(pods.map(({ namespace, name, uuid }) => identity(namespace, name, uuid)));
  const untilMs = clock.monotonic() + KNOWN_MS;
  for (;;) {
    const question = { address: admin, method: "GET", path: "/debug/proxies", timeoutMs: ASK_MS } as const;
    const answer = await requestJson(question);
    if (!Array.isArray(answer)) throw noControlPlane(admin, "pods");
    const known = new Set(
      answer.map((each) => identity(memberOf(each, "namespace"), memberOf(each, "pod"), memberOf(each, "uuid"))),
    );
    const [missing, others] = [missingNames(written, known), missingNames(known, written)];
    if (missing.length + others.length === 0) return;
    if (clock.monotonic() > untilMs) {
      const found = [
        ...(missing.length === 0 ? [] : [`does not know ${some(missing)}, of target.folder`]),
        ...(others.length === 0 ? [] : [`knows ${some(others)}, not of target.folder`]),
      ];
      throw new TargetError(`The control plane ${found.join(", and ")}: does it serve that folder?`);
    }
    await new Promise<void>((resolve) => clock.after(KNOWN_LOOK_MS, resolve));
  }
}

/** Names may come again in another run, a proxy's id only with its pod. */
function identity(namespace: unknown, name: unknown, uuid: unknown): string {
  return `${namespace}/${name} (${uuid})`;
}

function some(pods: readonly string[]): string {
  return pods.length === 1 ? `pod ${pods[0]}` : `${pods.length} pods, as ${pods[0]}`;
}

async function ownServers(
  { flags, replicas }: { readonly flags: readonly string[]; readonly replicas: number },
  folder: string,
  { serve, clock }: { readonly serve: ServeCommand; readonly clock: Clock },
): Promise<OpenedTarget> {
  const stateDir = scratchFolder("osm-fleet-state-");
  const remove = removedAtExit(stateDir);
  const caDir = join(stateDir, "ca");
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    remove();
  };
  try {
    for (let n = 0; n < replicas; n++) {
      const own = join(stateDir, `replica-${n}`);
      mkdirSync(own, { mode: 0o700 });
      const server = await startServer({ ...serve, folder, stateDir: own, caDir, flags, clock });
      servers.push(server);
    }
    const replica = (n: number) => servers[n] as ServerProcess;
    const admins = servers.map((server) => hostPort(server.admin, "admin"));
    const [address = "", ...alternatives] = servers.map(({ xds }) => xds);
    const certificatePem = readFileSync(join(caDir, "ca.crt"), "utf8");
    const privateKeyPem = readFileSync(join(caDir, "private.key"), "utf8");
    return {
      target: { address, alternatives, tls: { rootsPem: certificatePem, serverName: OSM_SERVER_NAME } },
      // Signed here, so that the server's figures hold nothing of it.
      credentials: {
        kind: "authority",
        authority: { certificatePem, privateKeyPem },
        commonName: OSM_COMMON_NAME,
        dnsNames: [OSM_COMMON_NAME],
        uris: [],
      },
      figures: servers.map((server, n) => ({ admin: admins[n] as HostPort, pid: () => server.pid })),
      restart: (n) => replica(n).restart(),
      drain: (n) => replica(n).drain(),
      async rotate() {
        await Promise.all(admins.filter((_, n) => replica(n).isRunning).map(rotateBy));
      },
      heldUp: (work) => heldUp(servers, work),
      knows: async () => {},
      close: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is done in between happens while no server goes on; one that has ended does not anyhow. */
function heldUp<T>(servers: readonly ServerProcess[], work: () => T): T {
  const held = servers.filter(({ isRunning }) => isRunning);
  for (const { pid } of held) process.kill(pid, "SIGSTOP");
  try {
    return work();
  } finally {
    for (const { pid } of held) process.kill(pid, "SIGCONT");
  }
}

/** How proxies get in where a control plane of this project answers at an admin address. */
export async function accessBy(admin: HostPort): Promise<Access> {
  const socketPath = await controlSocket(admin);
  const probe: Pick<Subject, "namespace" | "serviceAccount" | "uuid"> = {
    namespace: "default",
    serviceAccount: "default",
    uuid: "00000000-0000-4000-8000-000000000000",
  };
  const answer = await requestJson({
    address: { socketPath },
    method: "POST",
    path: "/credentials",
    body: probe,
    timeoutMs: ASK_MS,
  });
  const caPem = memberOf(answer, "caPem");
  if (typeof caPem !== "string") throw noControlPlane(admin, "CA");
  return { tls: { rootsPem: caPem, serverName: OSM_SERVER_NAME }, credentials: { kind: "control", socketPath } };
}

async function controlSocket(admin: HostPort): Promise<string> {
  const answer = await requestJson({ address: admin, method: "GET", path: "/debug/sockets", timeoutMs: ASK_MS });
  const control = memberOf(answer, "control");
  if (control === null) throw new TargetError("The control plane has no control socket.");
  if (typeof control !== "string" || control === "") throw noControlPlane(admin, "control socket");
  return control;
}

function memberOf(answer: unknown, name: string): unknown {
  return typeof answer === "object" && answer !== null
    ? (answer as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** Something else answers there. */
function noControlPlane(admin: HostPort, missing: string): TargetError {
  return new TargetError(
    `${describeAddress(admin)} answers, and is no admin address of a control plane of this project: it does not tell its ${missing}.`,
  );
}

async function rotateBy(admin: HostPort): Promise<void> {
  const socketPath = await controlSocket(admin);
  await requestJson({ address: { socketPath }, method: "POST", path: "/certificates/rotate", timeoutMs: ROTATE_MS });
}

function hostPort(text: string, what: string): HostPort {
  const address = parseHostPort(text);
  if (address === undefined) throw new TargetError(`${what} is HOST:PORT, found "${text}"`);
  return address;
}
