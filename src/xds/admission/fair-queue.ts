/** Fair queueing: those who wait stand in a queue for each origin, and origins take turns. */
export class FairQueue<Item> {
  /** By origin, in the order of their turns. An origin without anybody who waits is not kept. */
  readonly #queues = new Map<string, Set<Item>>();
  readonly #origins = new Map<Item, string>();

  get size(): number {
    return this.#origins.size;
  }

  /** Puts one at the end of the queue of its origin. */
  add(item: Item, origin: string): void {
    this.#origins.set(item, origin);
    const queue = this.#queues.get(origin);
    if (queue === undefined) this.#queues.set(origin, new Set([item]));
    else queue.add(item);
  }

  /** It is gone; one that does not wait here is no matter. */
  remove(item: Item): void {
    const origin = this.#origins.get(item);
    if (origin === undefined) return;
    this.#origins.delete(item);
    const queue = this.#queues.get(origin);
    queue?.delete(item);
    if (queue?.size === 0) this.#queues.delete(origin);
  }

  /** The oldest of the origin whose turn it is; the origin's next one waits for all the others'. */
  takeOldest(): Item | undefined {
    for (const queue of this.#queues.values()) for (const item of queue) return this.#take(item);
    return undefined;
  }

  /** The newest of it. Looks at all who wait there. */
  takeNewest(): Item | undefined {
    for (const queue of this.#queues.values()) {
      let newest: Item | undefined;
      for (const item of queue) newest = item;
      return newest === undefined ? undefined : this.#take(newest);
    }
    return undefined;
  }

  /** All who wait from there, oldest first. */
  takeAllOf(origin: string): readonly Item[] {
    const items = [...(this.#queues.get(origin) ?? [])];
    this.#queues.delete(origin);
    for (const item of items) this.#origins.delete(item);
    return items;
  }

  #take(item: Item): Item {
    const origin = this.#origins.get(item) ?? "";
    const queue = this.#queues.get(origin);
    this.remove(item);
    if (queue !== undefined && queue.size > 0) {
      this.#queues.delete(origin);
      this.#queues.set(origin, queue);
    }
    return item;
  }
}
