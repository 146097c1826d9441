import type { NameDifference, ReadResponse, Transition } from "./envoy-resources.ts";
import { difference } from "./envoy-resources.ts";
import { EMPTY_TABLE, type ResourceTable } from "./envoy-table.ts";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTE, SECRET, TYPE_URLS } from "./envoy-types.ts";
import type { Behaviour, ProxySpec } from "./fleet-api.ts";
import { AwaitedNames } from "./proxy-awaited.ts";
import { countNeedless, countUnsentClusters } from "./proxy-checks.ts";
import { deltaRequests, type Requests, SotwRequests } from "./proxy-requests.ts";
import type { ProxyStream, ProxySurroundings, Verdict } from "./proxy-surroundings.ts";

/** How long Envoy waits for what a cluster needs before it uses the cluster without (`initial_fetch_timeout`). */
const WARMING_MS = 15_000;

const NO_NAMES: ReadonlySet<string> = new Set();
const ALL_TYPES = TYPE_URLS.map((_, type) => type);

/**
 * One simulated Envoy: what it has, asks for and answers, as Envoy 1.40 does over ADS, without its connection. It outlives
 * its streams: a further one begins with the versions of what it has.
 *
 * Clusters are warm when their endpoints and secrets have come. Listeners are asked for when the first clusters are warm;
 * after that the ACK of new or changed clusters waits until these are warm, as Envoy's does.
 */
export class SimulatedProxy {
  readonly spec: ProxySpec;
  behaviour: Behaviour;
  readonly #shared: ProxySurroundings;
  readonly #requests: Requests;
  #stream: ProxyStream | undefined;
  #tables: ResourceTable[] = ALL_TYPES.map(() => EMPTY_TABLE);
  readonly #awaited = new AwaitedNames();
  /** Bits by type, of this process: asked for at all, and answered. */
  #asked = 1 << CLUSTER;
  #answered = 0;
  /** The same for this stream alone. */
  #answeredHere = 0;
  #secrets: ReadonlySet<string> = NO_NAMES;
  #held: { readonly response: ReadResponse; readonly nonce: string }[] = [];
  /** Whether it had all that it asked for when that was looked at last. */
  isWarm = false;

  constructor(spec: ProxySpec, shared: ProxySurroundings) {
    this.spec = spec;
    this.behaviour = spec.behaviour;
    this.#shared = shared;
    this.#requests = spec.protocol === "delta" ? deltaRequests : new SotwRequests();
  }

  table(type: number): ResourceTable {
    return this.#tables[type] ?? EMPTY_TABLE;
  }

  /** A new stream: one request for each type that it follows, with the versions of what it has. */
  open(stream: ProxyStream, node: Buffer): void {
    this.#stream = stream;
    this.#answeredHere = 0;
    this.#held = [];
    if (this.#requests instanceof SotwRequests) this.#requests.opened();
    let isFirst = true;
    for (const type of ALL_TYPES) {
      const names = this.#names(type);
      const isWhole = type === CLUSTER || type === LISTENER;
      if (!(this.#asked & (1 << type)) || (!isWhole && names.size === 0)) continue;
      stream.send(this.#requests.open(type, names, this.table(type), isFirst ? node : undefined));
      isFirst = false;
    }
  }

  /** The stream is over. What it has stays. */
  closed(): void {
    this.#stream = undefined;
    this.#setWarm(false);
  }

  /** Becomes a new process. */
  forget(): void {
    this.#tables = ALL_TYPES.map(() => EMPTY_TABLE);
    this.#awaited.forget();
    this.#asked = 1 << CLUSTER;
    this.#answered = 0;
    this.#secrets = NO_NAMES;
    if (this.#requests instanceof SotwRequests) this.#requests.forget();
  }

  /** Takes a response and answers it. */
  take(response: ReadResponse, nonce: string, bytes: number): Verdict {
    const { type } = response;
    const { counts } = this.#shared;
    const own = counts.ofType(type);
    own.responses++;
    own.bytes += bytes;
    own.resources += response.resources.length;
    if (response.problem !== undefined) {
      counts.error("refused", response.problem);
      return this.#refuse(response, nonce, response.problem);
    }
    if (type === undefined || !(this.#asked & (1 << type))) {
      counts.unrequested += Math.max(1, response.resources.length);
      return this.#acknowledge(response, nonce);
    }
    // A stream of the older protocol begins with all that there is: no version in its requests says what the proxy holds.
    const mayRepeat = this.spec.protocol === "sotw" && !(this.#answeredHere & (1 << type));
    this.#answered |= 1 << type;
    this.#answeredHere |= 1 << type;
    const { behaviour } = this;
    if (behaviour.kind === "nack" && this.#shared.random() < behaviour.share) {
      return this.#refuse(response, nonce, "refused by the simulated proxy");
    }
    const transition = response.applied(this.table(type), this.#shared.memory.tables);
    this.#tables[type] = transition.table;
    own.removed += transition.removed.length;
    const asked = { mayRepeat, awaited: this.#awaited.of(type), names: this.#names(type) };
    countNeedless(counts, type, response, transition, asked);
    const verdict = this.#follow(type, response, transition, nonce);
    this.#setWarm(this.#hasAll());
    return verdict;
  }

  /** Gives up on what clusters need and did not get in Envoy's time. Whether there was such a thing. */
  giveUpWarming(): boolean {
    if (this.#stream === undefined || !this.#awaited.isLate(this.#shared.monotonic(), WARMING_MS)) return false;
    const missing = this.#awaited.giveUpWarming();
    // Who does not read or answer on purpose waits for itself.
    if (this.behaviour.kind === "normal") this.#shared.counts.warmingTimeouts += missing.length;
    for (const { type, name } of missing.slice(0, 1)) {
      const what = `${TYPE_URLS[type]} "${name}" did not come to proxy ${this.spec.nodeId} in ${WARMING_MS} ms`;
      this.#shared.counts.error("warming-timeout", what);
    }
    this.#becomeWarm();
    this.#setWarm(this.#hasAll());
    return true;
  }

  #setWarm(isWarm: boolean): void {
    if (isWarm !== this.isWarm) this.#shared.counts.warm += isWarm ? 1 : -1;
    this.isWarm = isWarm;
  }

  #follow(type: number, response: ReadResponse, transition: Transition, nonce: string): Verdict {
    switch (type) {
      case CLUSTER:
        return this.#takeClusters(response, transition, nonce);
      case LISTENER:
        return this.#takeListeners(response, transition, nonce);
      default: {
        this.#awaited.settle(type, response);
        if (type === ROUTE) countUnsentClusters(this.#shared.counts, transition, this.table(CLUSTER));
        const verdict = this.#acknowledge(response, nonce);
        if (type !== ROUTE) this.#becomeWarm();
        return verdict;
      }
    }
  }

  #takeClusters(response: ReadResponse, transition: Transition, nonce: string): Verdict {
    const { added, removed } = transition.endpoints;
    const warming = new Set<string>();
    for (const { references } of transition.changed) for (const name of references.endpoints) warming.add(name);
    this.#awaited.add(ENDPOINTS, warming, this.#shared.monotonic);
    this.#drop(ENDPOINTS, removed);
    const isAskedAgain = this.spec.protocol === "sotw" && warming.size > 0;
    if (added.length > 0 || removed.length > 0 || isAskedAgain) {
      this.#asked |= 1 << ENDPOINTS;
      if (this.spec.protocol === "delta" && this.spec.endpointsOneByOne === true) {
        this.#askOneByOne(ENDPOINTS, transition.endpoints);
      } else {
        this.#askAtOnce(ENDPOINTS, transition, transition.endpoints);
      }
    }
    const secrets = this.#changeSecrets();
    const verdict =
      this.#asked & (1 << LISTENER) && !this.#clustersAreWarm()
        ? this.#hold(response, nonce)
        : this.#acknowledge(response, nonce);
    this.#askForSecrets(secrets);
    this.#becomeWarm();
    return verdict;
  }

  #takeListeners(response: ReadResponse, transition: Transition, nonce: string): Verdict {
    const { added, removed } = transition.routes;
    this.#awaited.add(ROUTE, added, this.#shared.monotonic);
    this.#drop(ROUTE, removed);
    if (added.length > 0 || removed.length > 0) {
      this.#asked |= 1 << ROUTE;
      this.#askAtOnce(ROUTE, transition, transition.routes);
    }
    countUnsentClusters(this.#shared.counts, transition, this.table(CLUSTER));
    const secrets = this.#changeSecrets();
    const verdict = this.#acknowledge(response, nonce);
    this.#askForSecrets(secrets);
    return verdict;
  }

  /** Names of secrets come from clusters and listeners; what is new is awaited from now on. */
  #changeSecrets(): NameDifference {
    const [clusters, listeners] = [this.table(CLUSTER).references, this.table(LISTENER).references];
    const wanted =
      listeners.secrets.size === 0 ? clusters.secrets : new Set([...clusters.secrets, ...listeners.secrets]);
    const changes = difference(this.#secrets, wanted);
    if (changes.added.length + changes.removed.length > 0) {
      this.#secrets = wanted;
      this.#awaited.add(SECRET, changes.added, this.#shared.monotonic);
      this.#drop(SECRET, changes.removed);
    }
    return changes;
  }

  /** Envoy has a subscription, and so a request, for each secret. */
  #askForSecrets(changes: NameDifference): void {
    if (changes.added.length + changes.removed.length === 0) return;
    this.#asked |= 1 << SECRET;
    if (this.spec.protocol === "delta") this.#askOneByOne(SECRET, changes);
    else this.#stream?.send(this.#requests.ask(SECRET, this.#secrets, changes.added, changes.removed));
  }

  /** What a delta request says follows from the transition alone: all proxies that make it say the same. */
  #askAtOnce(type: number, transition: Transition, { added, removed }: NameDifference): void {
    if (this.spec.protocol === "delta") {
      transition.request ??= this.#requests.ask(type, NO_NAMES, added, removed);
      this.#stream?.send(transition.request);
    } else this.#stream?.send(this.#requests.ask(type, this.#names(type), added, removed));
  }

  #askOneByOne(type: number, { added, removed }: NameDifference): void {
    const names = this.#names(type);
    for (const name of added) this.#stream?.send(this.#requests.ask(type, names, [name], []));
    if (removed.length > 0) this.#stream?.send(this.#requests.ask(type, names, [], removed));
  }

  /** The names that it is subscribed to; none for clusters and listeners, which it asks for as a whole. */
  #names(type: number): ReadonlySet<string> {
    if (type === ENDPOINTS) return this.table(CLUSTER).references.endpoints;
    if (type === ROUTE) return this.table(LISTENER).references.routes;
    return type === SECRET ? this.#secrets : NO_NAMES;
  }

  /** What is asked for no more is neither kept nor awaited. */
  #drop(type: number, names: readonly string[]): void {
    const changes = new Map<string, undefined>();
    const table = this.table(type);
    for (const name of names) {
      this.#awaited.answer(type, name);
      if (table.resources.has(name)) changes.set(name, undefined);
    }
    if (changes.size > 0) this.#tables[type] = this.#shared.memory.tables.changed(table, changes);
  }

  #clustersAreWarm(): boolean {
    return (this.#answered & (1 << CLUSTER)) !== 0 && this.#awaited.isWarm(this.table(CLUSTER).references.secrets);
  }

  #becomeWarm(): void {
    if (!this.#clustersAreWarm()) return;
    this.#awaited.warmed();
    if (this.#held.length > 0)
      for (const { response, nonce } of this.#held.splice(0)) this.#acknowledge(response, nonce);
    if (this.#asked & (1 << LISTENER)) return;
    this.#asked |= 1 << LISTENER;
    this.#stream?.send(this.#requests.open(LISTENER, NO_NAMES, EMPTY_TABLE, undefined));
  }

  /** A delta server need not say anything of a type of which the proxy has claimed all that there is. */
  #hasAll(): boolean {
    const both = (1 << CLUSTER) | (1 << LISTENER);
    const answered = this.spec.protocol === "delta" ? this.#answered : this.#answeredHere;
    if ((answered & both) !== both || this.#answeredHere === 0 || this.#held.length > 0) return false;
    return this.#awaited.isEmpty;
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  #hold(response: ReadResponse, nonce: string): Verdict {
    this.#held.push({ response, nonce });
    return "held";
  }

  #acknowledge(response: ReadResponse, nonce: string): Verdict {
    if (this.behaviour.kind === "never-ack") return "unanswered";
    this.#shared.counts.acks++;
    const names = response.type === undefined ? NO_NAMES : this.#names(response.type);
    this.#stream?.send(this.#requests.acknowledge(response, nonce, names));
    return "acknowledged";
  }

  #refuse(response: ReadResponse, nonce: string, reason: string): Verdict {
    const type = response.type ?? CLUSTER;
    this.#awaited.settle(type, response);
    // Who answers nothing does not answer nonsense either.
    if (this.behaviour.kind !== "never-ack") {
      this.#shared.counts.nacks++;
      this.#stream?.send(this.#requests.refuse(response, nonce, this.#names(type), reason));
    }
    this.#becomeWarm();
    this.#setWarm(this.#hasAll());
    return "refused";
  }
}
