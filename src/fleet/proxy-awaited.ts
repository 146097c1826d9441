import type { ReadResponse } from "./envoy-resources.ts";
import { ENDPOINTS, ROUTE, SECRET } from "./envoy-types.ts";

/** What a cluster needs before it is warm. */
const WARMING = [ENDPOINTS, SECRET] as const;

/** What a proxy has asked for and was not answered yet, by type; of endpoints also those of clusters that changed. */
export class AwaitedNames {
  #byType: (Set<string> | undefined)[] = [];
  /** Since when clusters wait for something, ms; NaN: they do not. */
  #warmingSince = Number.NaN;

  /** Undefined: nothing. */
  of(type: number): ReadonlySet<string> | undefined {
    return this.#byType[type];
  }

  /** `now`, ms, is asked when clusters begin to wait. */
  add(type: number, names: Iterable<string>, now: () => number): void {
    for (const name of names) {
      let awaited = this.#byType[type];
      if (awaited === undefined) {
        awaited = new Set();
        this.#byType[type] = awaited;
        if (type !== ROUTE && Number.isNaN(this.#warmingSince)) this.#warmingSince = now();
      }
      awaited.add(name);
    }
  }

  answer(type: number, name: string): void {
    const awaited = this.#byType[type];
    if (awaited?.delete(name) && awaited.size === 0) this.#byType[type] = undefined;
  }

  /** A response answers what it names. */
  settle(type: number, { resources, removed }: ReadResponse): void {
    if (this.#byType[type] === undefined) return;
    for (const { name } of resources) this.answer(type, name);
    for (const name of removed) this.answer(type, name);
  }

  /** Whether clusters, which need these secrets, wait for nothing. */
  isWarm(secrets: ReadonlySet<string>): boolean {
    if (this.#byType[ENDPOINTS] !== undefined) return false;
    const awaited = this.#byType[SECRET];
    if (awaited === undefined) return true;
    for (const name of awaited) if (secrets.has(name)) return false;
    return true;
  }

  /** Clusters are warm. */
  warmed(): void {
    this.#warmingSince = Number.NaN;
  }

  /** Whether clusters have waited for so long. */
  isLate(nowMs: number, limitMs: number): boolean {
    return nowMs - this.#warmingSince >= limitMs;
  }

  /** Clusters wait no more. Gives what has not come. */
  giveUpWarming(): readonly { readonly type: number; readonly name: string }[] {
    const missing = WARMING.flatMap((type) => [...(this.#byType[type] ?? [])].map((name) => ({ type, name })));
    for (const type of WARMING) this.#byType[type] = undefined;
    return missing;
  }

  get isEmpty(): boolean {
    return (
      this.#byType[ENDPOINTS] === undefined && this.#byType[SECRET] === undefined && this.#byType[ROUTE] === undefined
    );
  }

  forget(): void {
    this.#byType = [];
    this.#warmingSince = Number.NaN;
  }
}
