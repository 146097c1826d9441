import type { ReadResponse } from "./envoy-resources.ts";
import type { Resource } from "./envoy-table.ts";
import { typeNumber } from "./envoy-types.ts";
import type { Seen, Watch } from "./fleet-api.ts";

interface WatchState {
  readonly changeId: number;
  readonly needle: Buffer;
  readonly isAbsent: boolean;
  /** Position in the arrays by proxy. */
  readonly positions: ReadonlyMap<number, number>;
  readonly proxies: Uint32Array;
  readonly arrivedNs: BigInt64Array;
  readonly acknowledgedNs: BigInt64Array;
  /** How many have not acknowledged. */
  left: number;
  finished: (() => void) | undefined;
}

/** Watches that a response settles, whoever gets it. */
export type Hits = readonly WatchState[];
const NO_HITS: Hits = [];

/** Which proxies saw which change when. A watch lasts until it is collected. */
export class WatchBook {
  readonly #byId = new Map<number, WatchState>();
  /** By type and name, the oldest first. */
  readonly #byName = new Map<string, WatchState[]>();
  readonly #names = new Map<number, string>();
  #last: { readonly response: ReadResponse; readonly hits: Hits } | undefined;

  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  /** Throws a `RangeError` for a watch that cannot be. `proxies` are those of this process who have to see it. */
  add(watch: Watch, proxies: readonly number[]): void {
    const type = typeNumber(watch.typeUrl);
    if (type === undefined) throw new RangeError(`"${watch.typeUrl}" is not a type that a sidecar asks for`);
    if (this.#byId.has(watch.changeId)) throw new RangeError(`change ${watch.changeId} is watched already`);
    const state: WatchState = {
      changeId: watch.changeId,
      needle: Buffer.from(watch.contains),
      isAbsent: watch.absent ?? false,
      positions: new Map(proxies.map((proxy, position) => [proxy, position])),
      proxies: Uint32Array.from(proxies),
      arrivedNs: new BigInt64Array(proxies.length),
      acknowledgedNs: new BigInt64Array(proxies.length),
      left: proxies.length,
      finished: undefined,
    };
    const name = nameKey(type, watch.name);
    this.#byId.set(watch.changeId, state);
    this.#names.set(watch.changeId, name);
    const others = this.#byName.get(name) ?? [];
    this.#byName.set(
      name,
      [...others, state].sort((left, right) => left.changeId - right.changeId),
    );
    this.#last = undefined;
  }

  /** What a response settles. Remembered for the next proxy that gets the same. */
  hits(response: ReadResponse): Hits {
    if (this.#last?.response === response) return this.#last.hits;
    const hits = this.#find(response);
    this.#last = { response, hits };
    return hits;
  }

  #find(response: ReadResponse): Hits {
    const { type } = response;
    if (type === undefined) return NO_HITS;
    let hits: WatchState[] | undefined;
    const look = (name: string, resource: Resource | undefined) => {
      const states = this.#byName.get(nameKey(type, name));
      if (states === undefined) return;
      const newest = states.findLastIndex((state) => fits(state, resource));
      if (newest < 0) return;
      hits ??= [];
      hits.push(...states.slice(0, newest + 1));
    };
    for (const resource of response.resources) look(resource.name, resource);
    for (const name of response.removed) look(name, undefined);
    if (response.isWhole) {
      const named = new Set(response.resources.map(({ name }) => nameKey(type, name)));
      const prefix = nameKey(type, "");
      for (const key of this.#byName.keys()) {
        if (key.startsWith(prefix) && !named.has(key)) look(key.slice(prefix.length), undefined);
      }
    }
    return hits ?? NO_HITS;
  }

  arrived(proxy: number, hits: Hits, ns: bigint): void {
    for (const { positions, arrivedNs } of hits) {
      const position = positions.get(proxy);
      if (position !== undefined && arrivedNs[position] === 0n) arrivedNs[position] = ns;
    }
  }

  acknowledged(proxy: number, hits: Hits, ns: bigint): void {
    for (const state of hits) {
      const position = state.positions.get(proxy);
      if (position === undefined || state.acknowledgedNs[position] !== 0n) continue;
      state.acknowledgedNs[position] = ns;
      state.left--;
      if (state.left === 0) state.finished?.();
    }
  }

  /** Resolves when all have acknowledged; `wait` calls back at the time limit and can be cancelled. */
  async collect(changeId: number, wait: (action: () => void) => () => void): Promise<Seen> {
    const state = this.#byId.get(changeId);
    if (state === undefined) throw new RangeError(`change ${changeId} is not watched`);
    if (state.left > 0) {
      await new Promise<void>((resolve) => {
        const cancel = wait(resolve);
        state.finished = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#remove(state);
    const missing = [...state.positions].filter(([, at]) => state.acknowledgedNs[at] === 0n).map(([proxy]) => proxy);
    const { proxies, arrivedNs, acknowledgedNs } = state;
    return { proxies, arrivedNs, acknowledgedNs, missing };
  }

  #remove(state: WatchState): void {
    const name = this.#names.get(state.changeId) ?? "";
    this.#byId.delete(state.changeId);
    this.#names.delete(state.changeId);
    const others = (this.#byName.get(name) ?? []).filter((other) => other !== state);
    if (others.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, others);
    this.#last = undefined;
  }
}

function fits({ needle, isAbsent }: WatchState, resource: Resource | undefined): boolean {
  if (resource === undefined) return isAbsent;
  return resource.bytes.includes(needle) !== isAbsent;
}

function nameKey(type: number, name: string): string {
  return `${type} ${name}`;
}
