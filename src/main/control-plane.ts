import { chmodSync, rmSync } from "node:fs";
import { controlRoutes, type HttpListener, listenHttp, publicRoutes } from "../admin/mod.ts";
import {
  type HostPort,
  jsonLog,
  LOG_LEVELS,
  type Log,
  metricsRegistry,
  observeLoopDelay,
  systemClock,
} from "../lib/mod.ts";
import { type ChangeSet, DEFAULT_SETTINGS } from "../mesh/mod.ts";
import { countOuterMemoryInHeapLimit } from "../platform/process-memory.ts";
import { createDeliveryTracker, createPushEngine, createResourceSource, type PushEngine } from "../push/mod.ts";
import { controlActions, ownRejections, readModel } from "./control-plane-api.ts";
import { type ControlPlaneState, socketPaths } from "./control-plane-state.ts";
import { openFolder } from "./folder.ts";
import { createGeneratePool, generateHere, generateLanes } from "./generate-pool.ts";
import { createIntake } from "./intake.ts";
import { openMeshSecrets } from "./mesh-secrets.ts";
import { type ControlPlaneOptions, type Edge, formatHostPort, type PodAddress, StartError } from "./options.ts";
import { observeProcess } from "./process-metrics.ts";
import { createTableReader } from "./proxy-config.ts";
import { pushLine } from "./push-lines.ts";
import { createRejectionLines } from "./rejection-lines.ts";
import { serveXds } from "./xds.ts";

/** Bound of what is kept of generated resources that no proxy uses now. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;
const CLUSTER_DOMAIN = "cluster.local";
const TELL_REJECTIONS_MS = 50;
/** How long the stream of a proxy whose pod is gone may stay open. */
const STRANGERS_MS = 50;

export interface ControlPlaneIo {
  /** Lines for people: what was pushed to whom, and what has no effect. */
  readonly line: (text: string) => void;
  readonly logLine: (line: string) => void;
}

export interface ControlPlane {
  readonly admin: HostPort;
  /** Resolves with the xDS address once proxies are served. Rejects with {@link StartError} when they cannot be. */
  readonly serving: Promise<HostPort>;
  readonly pods: () => readonly PodAddress[];
  stop(): Promise<void>;
}

/** Starts the control plane over a folder, and over what the node tells it when there are local pods. */
export async function startControlPlane(options: ControlPlaneOptions, io: ControlPlaneIo): Promise<ControlPlane> {
  // Who asks for no threads asks for a small process.
  if (options.workers > 0) countOuterMemoryInHeapLimit();
  const edge = createEdge(io);
  observeProcess(edge.metrics, options.version);
  const stopMeasuring = observeLoopDelay(edge.metrics, edge.clock);
  const synced = Promise.withResolvers<void>();
  const { state, rejectionsChanged, close } = await createLine(options, io, edge, synced.resolve);
  const listeners = await listenAdmin(state, edge.log);
  const folder = openFolder(options, { accept: (events) => state.intake.accept(events), rejectionsChanged }, edge);
  state.fileRejections = folder.rejections;

  const serving = synced.promise.then(async () => {
    const server = await serveXds(state, edge);
    state.xds = server;
    return server;
  });
  serving.catch(() => undefined);
  return {
    admin: listeners.admin,
    serving: serving.then(({ address }) => address),
    pods: () => podAddresses(state),
    async stop() {
      stopMeasuring();
      state.intake.stop();
      await folder.stop();
      synced.reject(new StartError("stopped before the mesh was ready"));
      const server = await serving.catch(() => undefined);
      state.engine.stop();
      await server?.close();
      await Promise.all(listeners.all.map((listener) => listener.close()));
      await close();
    },
  };
}

function createEdge(io: ControlPlaneIo): Edge {
  const clock = systemClock();
  const log = jsonLog({ write: io.logLine, now: clock.now, level: "warn" });
  return { clock, log, metrics: metricsRegistry(), random: Math.random };
}

/** Wires the line from object events to tables. */
async function createLine(options: ControlPlaneOptions, io: ControlPlaneIo, edge: Edge, onSynced: () => void) {
  const hasThread = options.workers > 0;
  let engine: PushEngine | undefined;
  const secrets = await openMeshSecrets({
    ...options,
    ...edge,
    hasThread,
    settings: DEFAULT_SETTINGS,
    onChange: (identity) => engine?.secretsChanged(identity),
  });
  const pool = createGeneratePool(options.workers, edge);
  const tracker = createDeliveryTracker({
    clock: edge.clock,
    onReport: (report) => io.line(pushLine(report)),
  });
  const resources = createResourceSource({
    pool,
    generateHere,
    lanes: generateLanes(options.workers),
    cacheBytesMax: CACHE_BYTES_MAX,
    ...edge,
  });
  const pushEngine = createPushEngine({ resources, secrets: secrets.source, onPush: tracker.pushed, ...edge });
  engine = pushEngine;
  const intake = createIntake({
    mesh: { ...options, clusterDomain: CLUSTER_DOMAIN },
    clock: edge.clock,
    sources: options.hasPods ? ["folder", "node"] : ["folder"],
    onChange(snapshot, changes) {
      secrets.adopt(snapshot.settings);
      adoptLogLevel(edge.log, snapshot.settings.logLevel);
      pushEngine.publish(snapshot, changes);
      lookForStrangers(changes);
      rejectionsChanged();
      onSynced();
    },
  });
  edge.metrics.observed(
    "osm_resource_namespace_count",
    "Namespaces of the mesh",
    () => intake.snapshot().namespaces.size,
  );
  const moved = new Set<string>();
  let cancelLooking: (() => void) | undefined;
  // Looking at all proxies waits until those that a change concerns have been served, and once is enough for many changes.
  const lookForStrangers = (changes: ChangeSet) => {
    for (const namespace of namespacesOf(changes)) moved.add(namespace);
    if (moved.size === 0) return;
    cancelLooking ??= edge.clock.after(STRANGERS_MS, () => {
      cancelLooking = undefined;
      state.xds?.dropStrangers(intake.snapshot(), moved);
      moved.clear();
    });
  };
  const tellRejections = createRejectionLines(io.line);
  let cancelTelling: (() => void) | undefined;
  // Looking through all objects is for people: it waits until proxies have been served, and once is enough for many changes.
  const rejectionsChanged = () => {
    cancelTelling ??= edge.clock.after(TELL_REJECTIONS_MS, () => {
      cancelTelling = undefined;
      if (intake.isBusy()) return rejectionsChanged();
      // What looks missing may be what another source has not said yet.
      if (intake.missing().length === 0) tellRejections(ownRejections(state));
    });
  };
  const reader = createTableReader({ hasThread, ...edge });
  const state: ControlPlaneState = {
    options,
    intake,
    engine: pushEngine,
    secrets,
    tracker,
    reader,
    metrics: edge.metrics,
    clock: edge.clock,
    fileRejections: () => [],
    xds: undefined,
  };
  const close = async () => {
    cancelTelling?.();
    cancelLooking?.();
    await Promise.all([secrets.close(), pool.close(), reader.close()]);
  };
  return { state, rejectionsChanged, close };
}

/** Namespaces that changed themselves or whose pods did: only their proxies may have become strangers. */
function namespacesOf({ changed }: ChangeSet): ReadonlySet<string> {
  const found = new Set<string>();
  for (const key of changed.get("Pod") ?? []) found.add(key.slice(0, key.indexOf("/")));
  for (const key of changed.get("Namespace") ?? []) found.add(key.slice(key.indexOf("/") + 1));
  return found;
}

/** OSM's default is `info`; the lines that people read are printed apart from the log, so `info` stays quiet. */
function adoptLogLevel(log: Log, level: string): void {
  const known = LOG_LEVELS.find((candidate) => candidate === level);
  log.setLevel(known === undefined || known === "info" ? "warn" : known);
}

async function listenAdmin(state: ControlPlaneState, log: Log) {
  const { admin, socketDir } = state.options;
  const { control } = socketPaths(socketDir);
  const adminLog = log.child("admin");
  const open = await listenHttp({ address: admin, routes: publicRoutes(readModel(state)), log: adminLog }).catch(
    (error: NodeJS.ErrnoException) => {
      throw new StartError(
        `the admin address ${formatHostPort(admin)} cannot be used: ${error.code === "EADDRINUSE" ? "the port is in use" : error.message}; give --admin`,
      );
    },
  );
  rmSync(control, { force: true });
  const closed = await listenHttp({
    address: { path: control },
    routes: controlRoutes(controlActions(state)),
    log: adminLog,
  });
  chmodSync(control, 0o600);
  return { admin: { host: admin.host, port: open.port }, all: [open, closed] as readonly HttpListener[] };
}

function podAddresses({ intake }: ControlPlaneState): readonly PodAddress[] {
  return intake.pods.pods().map(({ namespace, name, addresses, serviceAccount }) => ({
    namespace,
    name,
    address: addresses[0] ?? "",
    serviceAccount,
  }));
}
