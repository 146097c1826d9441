import type { Clock, Log } from "../lib/mod.ts";
import { hasCommonClock } from "../platform/mod.ts";
import type {
  Behaviour,
  Fleet,
  FleetCounts,
  Opened,
  OpenOptions,
  ProcessUsage,
  ProxySpec,
  ProxyTable,
  ReopenOptions,
  Seen,
  Target,
  WarmOptions,
  Watch,
} from "./fleet-api.ts";
import { FleetProcess } from "./process-caller.ts";
import { addCounts } from "./proxy-counts.ts";

export interface FleetOptions {
  readonly target: Target;
  readonly proxies: readonly ProxySpec[];
  /**
   * Processes that share the proxies; 0 keeps them in this one, as does a runtime on which the times of two processes
   * cannot be compared (Deno). About 5,000 proxies fit into a process.
   */
  readonly processes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Draws back-off and refusals of proxies in this process; `Math.random` when absent. */
  readonly random?: () => number;
}

/**
 * Makes the proxies, without connecting them. Throws a `RangeError` for a target that cannot be, and
 * `FleetProcessError` when a process does not start; that also ends every later call when a process is gone.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { target, proxies, processes, clock, log } = options;
  const ids = new Set(proxies.map(({ id }) => id));
  if (ids.size !== proxies.length) throw new RangeError("two proxies have the same id");
  if (processes === 0 || !hasCommonClock) {
    // What it loads is not needed where processes do the work.
    const { FleetEngine } = await import("./fleet-engine.ts");
    return new FleetEngine({ target, proxies, clock, random: options.random ?? Math.random });
  }
  const parts = Array.from({ length: processes }, (_, index) => ({
    process: new FleetProcess(),
    proxies: proxies.filter((_spec, position) => position % processes === index),
  }));
  const fleet = new FleetOfProcesses(parts);
  try {
    await Promise.all(parts.map(({ process, proxies: own }) => process.start({ target, proxies: own })));
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  log.debug("The simulated proxies are ready", { proxies: proxies.length, processes });
  return fleet;
}

/** Several processes as one fleet. */
class FleetOfProcesses implements Fleet {
  readonly #processes: readonly FleetProcess[];
  readonly #owner: ReadonlyMap<number, FleetProcess>;

  constructor(parts: readonly { readonly process: FleetProcess; readonly proxies: readonly ProxySpec[] }[]) {
    this.#processes = parts.map(({ process }) => process);
    this.#owner = new Map(parts.flatMap(({ process, proxies }) => proxies.map(({ id }) => [id, process] as const)));
  }

  connect(options: OpenOptions = {}): Promise<Opened> {
    return this.#open("connect", options);
  }

  warm(options: WarmOptions = {}): Promise<Opened> {
    return this.#open("warm", options);
  }

  reopen(options: ReopenOptions = {}): Promise<Opened> {
    return this.#open("reopen", options);
  }

  async disconnect(ids?: readonly number[]): Promise<void> {
    await this.#all((process) => process.call("disconnect", ids));
  }

  async watch(watch: Watch): Promise<void> {
    await this.#all((process) => process.call("watch", watch));
  }

  async collect(changeId: number, timeoutMs: number): Promise<Seen> {
    const parts = await this.#all((process) => process.call("collect", changeId, timeoutMs));
    return {
      proxies: Uint32Array.from(parts.flatMap(({ proxies }) => [...proxies])),
      arrivedNs: BigInt64Array.from(parts.flatMap(({ arrivedNs }) => [...arrivedNs])),
      acknowledgedNs: BigInt64Array.from(parts.flatMap(({ acknowledgedNs }) => [...acknowledgedNs])),
      missing: parts.flatMap(({ missing }) => missing),
    };
  }

  async setBehaviour(ids: readonly number[], behaviour: Behaviour): Promise<void> {
    await this.#all((process) => process.call("setBehaviour", ids, behaviour));
  }

  async places(): Promise<readonly (readonly number[])[]> {
    const [first = [], ...others] = await this.#all((process) => process.call("places"));
    return first.map((ids, place) =>
      [...ids, ...others.flatMap((part) => part[place] ?? [])].sort((left, right) => left - right),
    );
  }

  async counts(): Promise<FleetCounts> {
    return addCounts(await this.#all((process) => process.call("counts")));
  }

  async tables(): Promise<readonly ProxyTable[]> {
    const parts = await this.#all((process) => process.call("tables"));
    return parts.flat().sort((left, right) => left.id - right.id);
  }

  async resource(proxyId: number, typeUrl: string, name: string): Promise<Uint8Array | undefined> {
    return await this.#owner.get(proxyId)?.call("resource", proxyId, typeUrl, name);
  }

  async usage(): Promise<readonly ProcessUsage[]> {
    return (await this.#all((process) => process.call("usage"))).flat();
  }

  async stop(): Promise<void> {
    await this.#all((process) => process.stop());
  }

  async #open(method: "connect" | "warm" | "reopen", options: ReopenOptions & WarmOptions): Promise<Opened> {
    const { perSecond } = options;
    const own = perSecond === undefined ? options : { ...options, perSecond: perSecond / this.#processes.length };
    const parts = await this.#all((process) => process.call(method, own));
    const sum = (key: "responses" | "resources" | "repeated" | "bytes" | "handshakes" | "resumed") =>
      parts.reduce((total, part) => total + part[key], 0);
    const reached = parts.filter(({ firstMs }) => !Number.isNaN(firstMs));
    return {
      firstMs: reached.length === 0 ? Number.NaN : Math.min(...reached.map(({ firstMs }) => firstMs)),
      allMs: reached.length === 0 ? Number.NaN : Math.max(...reached.map(({ allMs }) => allMs)),
      perProxyMs: Float64Array.from(parts.flatMap(({ perProxyMs }) => [...perProxyMs])),
      proxies: Uint32Array.from(parts.flatMap(({ proxies }) => [...proxies])),
      missing: parts.flatMap(({ missing }) => missing),
      responses: sum("responses"),
      resources: sum("resources"),
      repeated: sum("repeated"),
      bytes: sum("bytes"),
      handshakes: sum("handshakes"),
      resumed: sum("resumed"),
    };
  }

  #all<T>(ask: (process: FleetProcess) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#processes.map(ask));
  }
}
