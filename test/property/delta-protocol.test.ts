import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createStream,
  type RefusalMemory,
  type Response,
  refusalMemory,
  type Step,
  type StreamInput,
  type StreamState,
  sharedResponses,
  step,
  tableDifference,
} from "../../src/xds/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS } from "../../src/xds/resource.ts";
import { TYPES, tableOf } from "../protocol/conversation.ts";

const runs = Number(process.env["PROPERTY_RUNS"] ?? 400);
const shorts = ["cds", "eds", "lds", "rds", "sds"] as const;
type Short = (typeof shorts)[number];
const names = ["a", "b", "c", "d"] as const;

/** One thing that happens; numbers and subsets are interpreted by {@link Run}. */
type Event =
  | {
      readonly kind: "edit";
      readonly changes: readonly { short: Short; name: string; version: number; uses: string[] }[];
      /** Whether secrets that are not there are being made, and others than the table's are as good. */
      readonly isMaking: boolean;
      readonly isGenerous: boolean;
    }
  | { readonly kind: "request"; readonly short: Short; readonly add: string[]; readonly remove: string[] }
  | { readonly kind: "process"; readonly short: Short; readonly isNaming: boolean }
  | { readonly kind: "reconnect" }
  | { readonly kind: "restart" }
  | { readonly kind: "quiet" };

const short = fc.constantFrom(...shorts);
const subset = fc.subarray([...names]);
const edit = fc.record({
  kind: fc.constant("edit" as const),
  changes: fc.array(
    fc.record({ short, name: fc.constantFrom(...names), version: fc.constantFrom(0, 0, 1, 2, 3, 6), uses: subset }),
    { minLength: 1, maxLength: 4 },
  ),
  isMaking: fc.boolean(),
  isGenerous: fc.boolean(),
});
const request = fc.record({ kind: fc.constant("request" as const), short, add: subset, remove: subset });
const answer = fc.record({ kind: fc.constant("process" as const), short, isNaming: fc.boolean() });
const event = fc.oneof(
  { weight: 4, arbitrary: edit },
  { weight: 4, arbitrary: request },
  { weight: 8, arbitrary: answer },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("quiet" as const) }) },
) as fc.Arbitrary<Event>;

describe("delta protocol, for any interleaving", () => {
  test("a proxy ends up with exactly what its table holds for its subscriptions, sent in a safe order, once", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80, size: "max" }), (events) => {
        const run = new Run();
        for (const one of events) run.happen(one);
        run.settle();
        run.check();
      }),
      { numRuns: runs, endOnFailure: false },
    );
  });
});

/** A version that Envoy would refuse. */
const isBad = (version: string) => version.startsWith("6");
/** The clusters that a route's version says it names. */
const clustersOf = (version: string) => version.split(":")[1]?.split("+").filter(Boolean) ?? [];

/** A response, and those of its resources that are other than what the proxy had told the server before. */
interface Arrived extends Response {
  readonly changed: readonly Resource[];
}

/** What a proxy knows of one type. `live` is what it uses, `known` what it lists when it reconnects. */
interface Held {
  wanted: Set<string>;
  hasRequested: boolean;
  live: Map<string, string>;
  known: Map<string, string>;
  inbox: Arrived[];
  nonce: string;
  /** Names that it asked for explicitly and was not answered about since. */
  asked: Set<string>;
  /** What it will hold when it has processed its inbox. */
  promised: Map<string, string>;
  /** What it has told the server that it holds: by its claims and verdicts, and if it has not asked anew since. */
  told: Map<string, string>;
  refused: Set<string>;
  /** Refused together with others, without saying which was bad: to be sent again on a new stream only. */
  suspected: Set<string>;
  unclear: Set<string>;
}

/** A dumb client that behaves as Envoy does, a world that changes, and the server's stream between them. */
class Run {
  #world = new Map<string, { version: number; uses: string[] }>();
  #generation = 0;
  #table: ResourceTable = tableOf(0, new Map());
  #difference = tableDifference();
  #responses = sharedResponses();
  #memory: RefusalMemory = refusalMemory();
  /** Nonces of the stream. Responses are shared with the streams before it. */
  #nonces = new Set<string>();
  /** Goes through the same as `#stream`, and looks at each of its subscriptions every time, and at each name by itself. */
  #thorough: StreamState | undefined;
  readonly #thoroughMemory: RefusalMemory = refusalMemory();
  readonly #thoroughResponses = { ...sharedResponses(), fullSet: () => undefined };
  #stream: StreamState = this.#open();
  #proxy = fresh();
  /** Secrets that the proxy said it has, in another version than the table's that the table says is as good. */
  #kept = new Map<string, string>();
  /** Routes that the proxy used before it reconnected, until it has said so. */
  #isLocked = false;

  happen(one: Event): void {
    if (one.kind === "edit") this.#edit(one);
    else if (one.kind === "request") this.#request(one.short, one.add, one.remove);
    else if (one.kind === "process") this.#process(one.short, one.isNaming);
    else if (one.kind === "quiet") this.#give({ kind: "quiet" });
    else if (one.kind === "reconnect") this.#reconnect();
    else {
      this.#proxy = fresh();
      this.#kept.clear();
      this.#stream = this.#open();
    }
  }

  /** Lets the proxy answer everything until nothing is under way. */
  settle(): void {
    this.#give({ kind: "quiet" });
    for (let round = 0; shorts.some((one) => this.#proxy[one].inbox.length > 0); round++) {
      expect(round, "the conversation does not come to an end").toBeLessThan(200);
      for (const one of shorts) this.#process(one, true);
    }
  }

  check(): void {
    for (const one of shorts) {
      const typeUrl = TYPES[one] as NonNullable<(typeof TYPES)[string]>;
      const held = this.#proxy[one];
      if (!held.hasRequested) continue;
      const all = isWild(one) ? new Set([...this.#table.names(typeUrl), ...held.live.keys()]) : held.wanted;
      for (const name of all) {
        const version = this.#table.get(typeUrl, name)?.version;
        if (version !== undefined && this.#memory.isRefused(typeUrl, name, version)) continue;
        // Clusters stay as long as a listener or route that was refused may name them, and their endpoints with them.
        if (version === undefined && this.#isHeldBack(one)) continue;
        if (one === "sds" && this.#kept.get(name) === (held.live.get(name) ?? "")) continue;
        if (one === "sds" && this.#isAwaiting(held)) continue;
        expect(held.live.get(name), `${one}/${name}`).toBe(version);
      }
    }
    for (const subscription of this.#stream.subscriptions.values()) {
      expect(subscription.outstanding).toBeUndefined();
      expect(subscription.pending.size).toBeLessThanOrEqual(2 * names.length);
    }
  }

  /** A first answer about secrets waits for all that are being made. */
  #isAwaiting({ wanted }: Held): boolean {
    const isAwaited = (name: string) => this.#table.isAwaited?.(TYPE_URLS.secret, name) ?? false;
    return [...wanted].some((name) => this.#secret(name) === undefined && isAwaited(name));
  }

  #secret(name: string): string | undefined {
    return this.#table.get(TYPE_URLS.secret, name)?.version;
  }

  #isHeldBack(one: Short): boolean {
    return [...this.#stream.subscriptions.values()].some(({ withheld }) => withheld > 0) && one !== "lds";
  }

  #open(): StreamState {
    this.#nonces = new Set();
    const given = { protocol: "delta", nodeIds: ["proxy"], difference: this.#difference } as const;
    const stream = createStream({ ...given, memory: this.#memory, responses: this.#responses });
    this.#thorough = createStream({
      ...given,
      memory: this.#thoroughMemory,
      responses: this.#thoroughResponses,
    });
    this.#receive(this.#step(stream, { kind: "table", table: this.#table }));
    return stream;
  }

  #edit({ changes, isMaking, isGenerous }: Extract<Event, { kind: "edit" }>): void {
    for (const { short: one, name, version, uses } of changes) {
      if (version === 0) this.#world.delete(`${one}/${name}`);
      else this.#world.set(`${one}/${name}`, { version, uses });
    }
    const entries = new Map<string, string>();
    for (const [key, { version, uses }] of this.#world) {
      const clusters = uses.filter((name) => this.#world.has(`cds/${name}`));
      entries.set(key, key.startsWith("rds/") ? `${version}:${clusters.join("+")}` : String(version));
    }
    const any = { has: (key: string) => key.startsWith("sds/") } as ReadonlySet<string>;
    const none: ReadonlySet<string> = new Set();
    const words = { asGood: isGenerous ? any : none, awaited: isMaking ? any : none };
    this.#table = tableOf(++this.#generation, entries, words);
    for (const [name, version] of this.#kept) {
      if (this.#secret(name) === version || !isGenerous) this.#kept.delete(name);
    }
    this.#give({ kind: "table", table: this.#table });
  }

  #request(one: Short, add: readonly string[], remove: readonly string[]): void {
    const held = this.#proxy[one];
    const subscribe = isWild(one) ? [] : add;
    const unsubscribe = isWild(one) || !held.hasRequested ? [] : remove.filter((name) => !subscribe.includes(name));
    this.#say(one, subscribe, unsubscribe, new Map(), "", undefined);
  }

  #say(
    one: Short,
    subscribe: readonly string[],
    unsubscribe: readonly string[],
    claims: ReadonlyMap<string, string>,
    nonce: string,
    error: string | undefined,
  ): void {
    const held = this.#proxy[one];
    held.hasRequested = true;
    if (one === "sds") this.#keep(subscribe, unsubscribe, claims);
    for (const name of unsubscribe) {
      held.wanted.delete(name);
      for (const map of [held.live, held.known, held.promised, held.told]) map.delete(name);
    }
    for (const name of subscribe) {
      held.wanted.add(name);
      if (!claims.has(name)) {
        held.asked.add(name);
        held.told.delete(name);
      }
    }
    this.#give({
      kind: "delta-request",
      typeUrl: TYPES[one] ?? "",
      nodeId: "",
      nonce,
      subscribe: this.#inOrder(one, subscribe),
      unsubscribe,
      initialVersions: claims,
      error,
    });
  }

  /** All that there is in the table's order: else the one stream would be sent it in that order and the other in the request's. */
  #inOrder(one: Short, subscribe: readonly string[]): readonly string[] {
    const all = [...this.#table.names(TYPES[one] as NonNullable<(typeof TYPES)[string]>)];
    return all.length === subscribe.length && all.every((name) => subscribe.includes(name)) ? all : subscribe;
  }

  #keep(subscribe: readonly string[], unsubscribe: readonly string[], claims: ReadonlyMap<string, string>): void {
    for (const name of [...subscribe, ...unsubscribe]) this.#kept.delete(name);
    for (const [name, version] of claims) {
      if (this.#memory.isUncertain(TYPE_URLS.secret, name) || this.#secret(name) === version) continue;
      if (this.#table.isAsGood?.(TYPE_URLS.secret, name, version)) this.#kept.set(name, version);
    }
  }

  #process(one: Short, isNaming: boolean): void {
    const held = this.#proxy[one];
    const response = held.inbox.shift();
    if (response === undefined) return;
    const bad = response.resources.filter(({ version }) => isBad(version)).map(({ name }) => name);
    for (const { name, version } of response.resources) {
      if (!isBad(version) && (isWild(one) || held.wanted.has(name))) held.live.set(name, version);
    }
    for (const name of response.removed) held.live.delete(name);
    if (bad.length === 0) this.#acknowledge(one, held, response);
    else this.#refuse(held, response, isNaming ? bad : undefined);
    const error = bad.length === 0 ? undefined : isNaming ? `Error adding ${bad.join(", ")}: no` : "no";
    this.#say(one, [], [], new Map(), response.nonce, error);
  }

  #acknowledge(one: Short, held: Held, { resources, removed }: Response): void {
    for (const { name, version } of resources) {
      if (isWild(one) || held.wanted.has(name)) held.known.set(name, version);
      if (!held.asked.has(name)) held.told.set(name, version);
      held.unclear.delete(name);
    }
    for (const name of removed) {
      for (const map of [held.known, held.told]) map.delete(name);
      held.unclear.delete(name);
    }
  }

  /** What it had in this very version is not what it refuses. */
  #refuse(held: Held, { changed, removed }: Arrived, named: readonly string[] | undefined): void {
    const isSure = named !== undefined || changed.length === 1;
    for (const { name, version } of changed) {
      const isCulprit = named?.includes(name) ?? true;
      if (isCulprit) (isSure ? held.refused : held.suspected).add(`${name}=${version}`);
      if (isCulprit && isSure) continue;
      held.unclear.add(name);
      if (isCulprit) held.told.delete(name);
      else if (!held.asked.has(name)) held.told.set(name, version);
    }
    for (const name of removed) {
      held.told.delete(name);
      held.unclear.add(name);
    }
  }

  #reconnect(): void {
    for (const one of shorts) {
      const held = this.#proxy[one];
      held.inbox = [];
      held.promised = new Map(held.known);
      held.suspected.clear();
    }
    this.#kept.clear();
    this.#stream = this.#open();
    this.#isLocked = true;
    // A process whose first request lists nothing is taken for a new one.
    const first = shorts.find((one) => this.#proxy[one].hasRequested);
    if (first !== undefined && this.#proxy[first].known.size === 0) {
      for (const one of shorts) this.#proxy[one].refused.clear();
    }
    for (const one of shorts) {
      const held = this.#proxy[one];
      if (!held.hasRequested) continue;
      const claims = new Map([...held.known].filter(([name]) => isWild(one) || held.wanted.has(name)));
      held.told = new Map([...claims].filter(([name]) => !held.unclear.has(name)));
      this.#say(one, isWild(one) ? [] : [...held.wanted], [], claims, "", undefined);
    }
    this.#isLocked = false;
    this.#give({ kind: "quiet" });
  }

  #give(input: StreamInput): void {
    this.#receive(this.#step(this.#stream, input));
  }

  #step(stream: StreamState, input: StreamInput): Step {
    const taken = step(stream, input);
    if (this.#thorough === undefined) return taken;
    this.#thorough.unsettled = -1;
    this.#thorough.keeping = -1;
    expect(taken, "a stream that looks at everything").toEqual(step(this.#thorough, input));
    return taken;
  }

  #receive({ responses, end }: Step): void {
    expect(end).toBeUndefined();
    for (const response of responses) {
      const one = shorts.find((each) => TYPES[each] === response.typeUrl) ?? "cds";
      const held = this.#proxy[one];
      expect(held.inbox.length, `two un-ACKed responses of ${one}`).toBe(0);
      expect(this.#nonces.has(response.nonce), "a nonce comes twice").toBe(false);
      this.#nonces.add(response.nonce);
      this.#checkNoRepeats(one, held, response);
      this.#checkOrder(one, response);
      if (one === "sds") this.#checkSecrets(response);
      const changed = response.resources.filter(({ name, version }) => held.told.get(name) !== version);
      for (const { name, version } of response.resources) held.promised.set(name, version);
      for (const name of response.removed) held.promised.delete(name);
      held.inbox.push({ ...response, changed });
    }
  }

  #checkNoRepeats(one: Short, held: Held, response: Response): void {
    let repeated = 0;
    for (const { name, version } of response.resources) {
      const key = `${name}=${version}`;
      expect(
        held.refused.has(key) || held.suspected.has(key),
        `${one}/${name}=${version} was refused and is sent again`,
      ).toBe(false);
      const wasAsked = held.asked.delete(name);
      const isUnclear = held.unclear.has(name);
      if (!isUnclear && !wasAsked && held.promised.get(name) === version) repeated++;
    }
    for (const name of response.removed) held.asked.delete(name);
    expect(repeated, `${one} sends again what the proxy holds`).toBeLessThanOrEqual(response.requiredResends);
  }

  #checkSecrets({ resources, removed }: Response): void {
    for (const name of [...resources.map((resource) => resource.name), ...removed]) {
      expect(this.#kept.has(name), `secret ${name} is replaced by one that is no better`).toBe(false);
    }
    for (const name of removed) {
      expect(this.#table.isAwaited?.(TYPE_URLS.secret, name), `secret ${name} goes while it is made`).toBe(false);
    }
  }

  #checkOrder(one: Short, response: Response): void {
    const { cds, rds } = this.#proxy;
    if (!cds.hasRequested || !rds.hasRequested || this.#isLocked) return;
    if (one === "rds") {
      for (const cluster of response.resources.flatMap(({ version }) => clustersOf(version))) {
        const version = this.#table.get(TYPES["cds"] as never, cluster)?.version ?? "";
        // Sent once and refused, alone or together with others: it is not sent again, and the route does not wait.
        const key = `${cluster}=${version}`;
        if (cds.refused.has(key) || cds.suspected.has(key)) continue;
        expect(cds.promised.has(cluster), `a route names cluster ${cluster}, which was not sent`).toBe(true);
      }
    }
    if (one === "cds") {
      const inFlight = rds.inbox.flatMap(({ resources }) => resources.map(({ version }) => version));
      const used = new Set([...rds.live.values(), ...inFlight].flatMap(clustersOf));
      for (const cluster of response.removed) {
        expect(used.has(cluster), `cluster ${cluster} goes while a route names it`).toBe(false);
      }
    }
  }
}

function isWild(one: Short): boolean {
  return one === "cds" || one === "lds";
}

function fresh(): Record<Short, Held> {
  const none = (): Held => ({
    wanted: new Set(),
    hasRequested: false,
    live: new Map(),
    known: new Map(),
    inbox: [],
    nonce: "",
    asked: new Set(),
    promised: new Map(),
    told: new Map(),
    refused: new Set(),
    suspected: new Set(),
    unclear: new Set(),
  });
  return { cds: none(), eds: none(), lds: none(), rds: none(), sds: none() };
}
