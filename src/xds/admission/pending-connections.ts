/** Everybody who has come and was not let in yet, by where they come from. Nothing takes longer however many there are. */
export class PendingConnections<Item> {
  readonly #members = new Map<Item, Member<Item>>();
  /** An origin without members is not kept. */
  readonly #origins = new Map<string, Origin<Item>>();
  /** Origins by how many members they have. The last chain has somebody in it. */
  readonly #bySize: Chain<Origin<Item>>[] = [];

  get size(): number {
    return this.#members.size;
  }

  add(item: Item, name: string): void {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { name, members: new Chain(), size: 0, older: undefined, newer: undefined };
      this.#origins.set(name, origin);
    }
    const member: Member<Item> = { item, origin, older: undefined, newer: undefined };
    this.#members.set(item, member);
    origin.members.push(member);
    this.#resize(origin, 1);
  }

  /** It was let in, or is gone; one that is no member already is no matter. */
  remove(item: Item): void {
    const member = this.#members.get(item);
    if (member === undefined) return;
    this.#members.delete(item);
    const { origin } = member;
    origin.members.remove(member);
    this.#resize(origin, -1);
    if (origin.size === 0) this.#origins.delete(origin.name);
  }

  /**
   * Takes out the oldest of the origin with the most members: whoever brings thousands loses their own ones, and a stranger
   * who is alone none. Undefined: there is nobody.
   */
  takeOldestOfMost(): Item | undefined {
    const item = this.#bySize.at(-1)?.oldest?.members.oldest?.item;
    if (item !== undefined) this.remove(item);
    return item;
  }

  #resize(origin: Origin<Item>, by: 1 | -1): void {
    const sizes = this.#bySize;
    if (origin.size > 0) sizes[origin.size - 1]?.remove(origin);
    origin.size += by;
    if (origin.size > sizes.length) sizes.push(new Chain());
    if (origin.size > 0) sizes[origin.size - 1]?.push(origin);
    if (sizes.at(-1)?.oldest === undefined) sizes.pop();
  }
}

interface Linked<Node> {
  older: Node | undefined;
  newer: Node | undefined;
}

interface Member<Item> extends Linked<Member<Item>> {
  readonly item: Item;
  readonly origin: Origin<Item>;
}

interface Origin<Item> extends Linked<Origin<Item>> {
  readonly name: string;
  readonly members: Chain<Member<Item>>;
  size: number;
}

/** A queue that can lose any of its nodes. A `Set` that loses its first ones looks for the next past all that are gone. */
class Chain<Node extends Linked<Node>> {
  oldest: Node | undefined;
  #newest: Node | undefined;

  push(node: Node): void {
    node.older = this.#newest;
    node.newer = undefined;
    if (this.#newest === undefined) this.oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
  }

  remove(node: Node): void {
    if (node.older === undefined) this.oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
  }
}
