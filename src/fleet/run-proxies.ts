import { randomNumbers } from "./shape.ts";
import type { World } from "./world.ts";

/** Which proxies of a run are there, and which of them behave well. Changed as the run goes on. */
export class RunProxies {
  readonly #world: World;
  readonly #connected: Set<number>;
  readonly #sick = new Set<number>();
  readonly #random: () => number;
  /** All that the fleet was told of. */
  readonly size: number;
  /** Ids of proxies that are there and well, by service; made anew after a change. */
  #byService: ReadonlyMap<number, readonly number[]> | undefined;

  constructor(world: World, connected: readonly number[], options: { readonly size: number; readonly seed: number }) {
    this.#world = world;
    this.#connected = new Set(connected);
    this.size = options.size;
    this.#random = randomNumbers(options.seed ^ 0x71c2);
  }

  get isAllHealthy(): boolean {
    return this.#sick.size === 0;
  }

  isSick(id: number): boolean {
    return this.#sick.has(id);
  }

  connected(): readonly number[] {
    return [...this.#connected];
  }

  healthy(): readonly number[] {
    return [...this.#connected].filter((id) => !this.#sick.has(id));
  }

  healthyOf(services: readonly number[]): readonly number[] {
    this.#byService ??= this.#index();
    const index = this.#byService;
    return services.flatMap((service) => index.get(service) ?? []);
  }

  /** Those of `ids` that are there. */
  only(ids: readonly number[]): readonly number[] {
    return ids.filter((id) => this.#connected.has(id));
  }

  add(ids: readonly number[]): void {
    for (const id of ids) this.#connected.add(id);
    this.#byService = undefined;
  }

  remove(ids: readonly number[]): void {
    for (const id of ids) this.#connected.delete(id);
    this.#byService = undefined;
  }

  setHealth(ids: readonly number[], isHealthy: boolean): void {
    for (const id of ids) {
      if (isHealthy) this.#sick.delete(id);
      else this.#sick.add(id);
    }
    this.#byService = undefined;
  }

  /** A share of the proxies that are well, or of those that are not, drawn anew each time; at least one unless the share is 0. */
  draw(share: number, which: "well" | "ill" = "well"): readonly number[] {
    const from = which === "well" ? [...this.healthy()] : this.connected().filter((id) => this.#sick.has(id));
    const wanted = share === 0 ? 0 : Math.max(1, Math.round(from.length * share));
    if (wanted >= from.length) return from;
    for (let place = 0; place < wanted; place++) {
      const other = place + Math.floor(this.#random() * (from.length - place));
      [from[place], from[other]] = [from[other] as number, from[place] as number];
    }
    return from.slice(0, wanted).sort((left, right) => left - right);
  }

  #index(): ReadonlyMap<number, readonly number[]> {
    const index = new Map<number, number[]>();
    for (const id of this.#connected) {
      const service = this.#sick.has(id) ? undefined : this.#world.pod(id)?.service;
      if (service === undefined) continue;
      const known = index.get(service);
      if (known === undefined) index.set(service, [id]);
      else known.push(id);
    }
    return index;
  }
}
