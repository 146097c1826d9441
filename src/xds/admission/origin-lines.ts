/** Lines of those who wait, one for each origin. Origins take turns. */
export class OriginLines<Item> {
  /** By origin, in the order of their turns. An origin without anybody who waits is not kept. */
  readonly #lines = new Map<string, Set<Item>>();
  readonly #origins = new Map<Item, string>();

  get size(): number {
    return this.#origins.size;
  }

  /** Puts one at the end of the line of its origin. */
  add(item: Item, origin: string): void {
    this.#origins.set(item, origin);
    const line = this.#lines.get(origin);
    if (line === undefined) this.#lines.set(origin, new Set([item]));
    else line.add(item);
  }

  /** It is gone; one that does not wait here is no matter. */
  remove(item: Item): void {
    const origin = this.#origins.get(item);
    if (origin === undefined) return;
    this.#origins.delete(item);
    const line = this.#lines.get(origin);
    line?.delete(item);
    if (line?.size === 0) this.#lines.delete(origin);
  }

  /** The oldest of the origin whose turn it is; the origin's next one waits for all the others'. */
  takeOldest(): Item | undefined {
    for (const line of this.#lines.values()) for (const item of line) return this.#take(item);
    return undefined;
  }

  /** The newest of it. Looks at all who wait there. */
  takeNewest(): Item | undefined {
    for (const line of this.#lines.values()) {
      let newest: Item | undefined;
      for (const item of line) newest = item;
      return newest === undefined ? undefined : this.#take(newest);
    }
    return undefined;
  }

  /** All who wait from there, oldest first. */
  takeAllOf(origin: string): readonly Item[] {
    const items = [...(this.#lines.get(origin) ?? [])];
    this.#lines.delete(origin);
    for (const item of items) this.#origins.delete(item);
    return items;
  }

  #take(item: Item): Item {
    const origin = this.#origins.get(item) ?? "";
    const line = this.#lines.get(origin);
    this.remove(item);
    if (line !== undefined && line.size > 0) {
      this.#lines.delete(origin);
      this.#lines.set(origin, line);
    }
    return item;
  }
}
