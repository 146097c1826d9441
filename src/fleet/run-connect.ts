import type { Clock, Log } from "../lib/mod.ts";
import { counted } from "./counted.ts";
import { issueCredentials, type Subject } from "./credentials.ts";
import { startFleet } from "./fleet.ts";
import type { FleetCounts, ProcessUsage, ProxySpec } from "./fleet-api.ts";
import { type NodeTemplates, nodeOf } from "./node-templates.ts";
import { type Delays, delaysOf } from "./report-result.ts";
import { pause } from "./run-context.ts";
import type { Access } from "./run-target.ts";
import { namespaceName, proxyUuid, serviceName } from "./world-objects.ts";

/** A plain load on any xDS server: proxies that connect and stay. */
export interface ConnectOptions {
  readonly address: string;
  readonly access: Access;
  readonly proxies: number;
  readonly node: NodeTemplates;
  readonly protocol: "delta" | "sotw";
  readonly perSecond?: number;
  readonly processes?: number;
  /** Longest that the proxies may take to get all that they ask for. */
  readonly timeoutMs: number;
  /** How long they stay; undefined: until `signal`. */
  readonly holdMs: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface ConnectReport {
  readonly schema: 1;
  readonly target: string;
  readonly proxies: number;
  /** Proxies that did not get all that they asked for. */
  readonly missing: number;
  /** Proxies that were not connected at the end, whatever they had before. */
  readonly disconnected: number;
  /** From the beginning to each proxy that has all. */
  readonly toAll: Delays | undefined;
  readonly counts: FleetCounts;
  readonly usage: readonly ProcessUsage[];
}

/** Pods of one service, services of one namespace in turn: what templates name. */
const PODS_PER_SERVICE = 10;
const NAMESPACES = 10;
const PROXIES_PER_PROCESS = 5000;
/** A server ends old connections and those whose certificates end: who comes back at once was not lost. */
const BACK_WITHIN_MS = 1000;
const LOOK_AGAIN_MS = 100;
const TELL_MS = 1000;

/** Connects, stays, and says what was received. Rejects with `TemplateError`; what proxies meet is in the report. */
export async function connectFleet(options: ConnectOptions): Promise<ConnectReport> {
  const { address, access, clock, log, signal, progress } = options;
  const subjects = Array.from({ length: options.proxies }, (_, n) => subjectOf(n));
  const credentials = await issueCredentials(access.credentials, subjects, clock);
  const specs = subjects.map(
    (subject, id): ProxySpec => ({
      id,
      ...nodeOf(options.node, subject),
      protocol: options.protocol,
      behaviour: { kind: "normal" },
      ...credentials[id],
    }),
  );
  const target = { address, ...(access.tls === undefined ? {} : { tls: access.tls }) };
  const processes = options.processes ?? Math.ceil(options.proxies / PROXIES_PER_PROCESS);
  const fleet = await startFleet({ target, proxies: specs, processes, clock, log });
  try {
    const rate = options.perSecond === undefined ? {} : { perSecond: options.perSecond };
    progress(`connecting ${counted(options.proxies, "proxy", "proxies")} to ${address}`);
    const given = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const opened = await Promise.race([fleet.connect({ timeoutMs: options.timeoutMs, ...rate }), given]);
    const untilMs = clock.monotonic() + (options.holdMs ?? Number.POSITIVE_INFINITY);
    while (!signal.aborted && clock.monotonic() < untilMs) {
      const { open, warm, responses, errors } = await fleet.counts();
      const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
      progress(`${open} streams open, ${warm} proxies have all, ${responses} responses, ${failed} errors`);
      await pause(clock, Math.min(TELL_MS, untilMs - clock.monotonic()), signal);
    }
    let counts = await fleet.counts();
    const backMs = clock.monotonic() + BACK_WITHIN_MS;
    while (counts.open < options.proxies && !signal.aborted && clock.monotonic() < backMs) {
      await pause(clock, LOOK_AGAIN_MS, signal);
      counts = await fleet.counts();
    }
    const usage = await fleet.usage();
    return {
      schema: 1,
      target: address,
      proxies: options.proxies,
      missing: opened === undefined ? options.proxies - counts.warm : opened.missing.length,
      disconnected: options.proxies - counts.open,
      toAll: delaysOf([...(opened?.perProxyMs ?? [])].filter(Number.isFinite)),
      counts,
      usage,
    };
  } finally {
    await fleet.stop();
  }
}

function subjectOf(n: number): Subject {
  const service = Math.floor(n / PODS_PER_SERVICE);
  const name = serviceName(service);
  return {
    n,
    uuid: proxyUuid(n),
    namespace: namespaceName(service % NAMESPACES),
    service: name,
    serviceAccount: name,
    pod: `${name}-${String(n).padStart(5, "0")}`,
  };
}
