/** What a {@link DirtyQueue} notes in its items. */
export interface Dirtyable {
  /** Its turn is yet to come. */
  isDirty: boolean;
}

/**
 * Marked items in the order of their marks, each of them once. A list, with the mark in the item: from a set, of which the
 * first few of thousands are taken again and again, each time begins with going over all that were taken before.
 */
export class DirtyQueue<Item extends Dirtyable> {
  /** Those whose turn it is, and how many of them were taken. */
  #first: Item[] = [];
  #taken = 0;
  /** Those marked since. */
  #later: Item[] = [];

  /** Nothing has a place. */
  get isEmpty(): boolean {
    return this.#first.length === 0 && this.#later.length === 0;
  }

  add(item: Item): void {
    if (item.isDirty) return;
    item.isDirty = true;
    this.#later.push(item);
  }

  /** It keeps its place, where it is passed over. */
  forget(item: Item): void {
    item.isDirty = false;
  }

  /** The next one, marked no more; undefined when there is none. */
  take(): Item | undefined {
    while (this.#refill()) {
      const item = this.#first[this.#taken++] as Item;
      if (this.#taken === this.#first.length) this.#first = [];
      if (!item.isDirty) continue;
      item.isDirty = false;
      return item;
    }
    return undefined;
  }

  /** Those that {@link take} will give next, in their order; some may have been forgotten. */
  ahead(count: number): readonly Item[] {
    return this.#refill() ? this.#first.slice(this.#taken, this.#taken + count) : [];
  }

  /** False: there is nothing. */
  #refill(): boolean {
    if (this.#first.length > 0) return true;
    this.#first = this.#later;
    this.#later = [];
    this.#taken = 0;
    return this.#first.length > 0;
  }
}
