import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../resource.ts";
import { ABSENT, ASKED, type Held, type HeldNames, isOwed, owed, versionIn } from "./held-names.ts";
import type { Response } from "./protocol.ts";
import { has, namesOf, resourceOf, type StreamState, subscriptionOf, unsettle } from "./stream-state.ts";
import { hasLegacyWildcard, isSettled, isSubscribed, type Subscription } from "./subscription.ts";

/** A resource is removed once the client has accepted that nothing of these types names it any more. */
const REMOVED_AFTER: ReadonlyMap<string, readonly string[]> = new Map([
  [TYPE_URLS.route, [TYPE_URLS.listener]],
  [TYPE_URLS.cluster, [TYPE_URLS.listener, TYPE_URLS.route]],
  [TYPE_URLS.endpoints, [TYPE_URLS.cluster]],
  [TYPE_URLS.secret, [TYPE_URLS.cluster, TYPE_URLS.listener]],
]);

const NOTHING: readonly Response[] = [];
const NO_NAMES: readonly string[] = [];
const NO_RESOURCES: readonly Resource[] = [];

/** What can be sent now, in the order in which it must be sent. At most one response of a type is left un-ACKed. */
export function nextResponses(state: StreamState, table: ResourceTable): readonly Response[] {
  const { subscriptions } = state;
  let responses: Response[] | undefined;
  // Plain loops, and no array before there is something to hold: nearly every call is about one resource or none.
  for (let n = 0; n < subscriptions.length; n++) {
    if (!has(state.unsettled, n)) continue;
    const subscription = subscriptions[n] as Subscription;
    if (subscription.pending.size > 0) dropSettled(table, subscription);
    if (subscription.pending.size === 0) subscription.withheld = 0;
    if (isSettled(subscription)) state.unsettled &= ~(1 << n);
  }
  for (let n = 0; n < subscriptions.length; n++) {
    // What is sent may make a later type owe something.
    if (!has(state.unsettled, n)) continue;
    const subscription = subscriptions[n] as Subscription;
    if (subscription.outstanding !== undefined) continue;
    if (subscription.pending.size === 0 && !subscription.mustAnswer) continue;
    const selection = select(state, table, subscription);
    if (!isWorthSending(subscription, selection)) continue;
    const response = respond(state, table, subscription, selection);
    if (responses === undefined) responses = [response];
    else responses.push(response);
  }
  return responses ?? NOTHING;
}

/** Forgets differences that are none any more, so that nothing waits for them. */
function dropSettled(table: ResourceTable, { typeUrl, pending }: Subscription): void {
  const { only, all } = pending;
  // What the table holds and the client does not has to be sent, whatever the names are.
  if (all !== undefined && (pending.allHeld === ASKED || all === namesOf(table, typeUrl))) return;
  if (only !== undefined) {
    if (isSettledBy(table, typeUrl, only, pending.get(only))) pending.delete(only);
    return;
  }
  for (const [name, held] of pending.entries()) if (isSettledBy(table, typeUrl, name, held)) pending.delete(name);
}

function isSettledBy(table: ResourceTable, typeUrl: string, name: string, held: Held | undefined): boolean {
  // Most of a first request: an answer is owed, whatever the table says.
  return held !== ASKED && (resourceOf(table, typeUrl, name)?.version ?? ABSENT) === held;
}

/** What may be sent of one type now. One object for each delivery, without closures: this is most of what a response allocates. */
class Selection {
  resources: readonly Resource[] = NO_RESOURCES;
  /** What the client holds of each of `resources`. */
  held: readonly Held[] = NO_NAMES;
  removed: readonly string[] = NO_NAMES;
  /** Differences that have to wait for another type, or for the next response. */
  waiting = 0;
  /** How many of them wait for a resource that is being made. */
  awaited = 0;
  readonly #state: StreamState;
  readonly #table: ResourceTable;
  readonly #subscription: Subscription;
  readonly #mayBring: (held: Held) => boolean;
  /** Looked up when it is asked for the first time. */
  #mayRemove: boolean | undefined;
  #bytes = 0;
  #isAlone = false;

  constructor(state: StreamState, table: ResourceTable, subscription: Subscription) {
    this.#state = state;
    this.#table = table;
    this.#subscription = subscription;
    this.#mayBring = bringRule(state, table, subscription);
  }

  /** Takes in a name, unless it has to wait. */
  consider(name: string, held: Held): void {
    const { typeUrl, onTrial } = this.#subscription;
    const { memory, protocol } = this.#state.options;
    const resource = resourceOf(this.#table, typeUrl, name);
    const bytes = this.#bytes + name.length + (resource?.bytes.length ?? 0);
    const isTooMuch = protocol === "delta" && bytes > this.#state.limits.responseBytesMax;
    if (resource !== undefined && !memory.isEmpty() && memory.isRefused(typeUrl, name, resource.version)) {
      this.#subscription.withheld++;
    } else if (this.#bytes > 0 && (this.#isAlone || isTooMuch || onTrial?.has(name))) {
      this.waiting++;
    } else if (resource === undefined && this.#table.isAwaited?.(typeUrl as TypeUrl, name)) {
      this.waiting++;
      this.awaited++;
    } else if (!(resource === undefined ? held === ASKED || this.#canRemove() : this.#mayBring(held))) {
      this.waiting++;
    } else {
      this.#bytes = bytes;
      this.#isAlone = onTrial?.has(name) ?? false;
      if (resource !== undefined) this.#choose(resource, held);
      else if (this.removed.length === 0) this.removed = [name];
      else (this.removed as string[]).push(name);
    }
  }

  /** Takes in all of the table at once, or has all of it wait; false where each name has to be looked at by itself. */
  considerAll({ all, allHeld }: HeldNames): boolean {
    const { typeUrl, onTrial } = this.#subscription;
    const { memory, protocol, responses } = this.#state.options;
    if (protocol !== "delta" || onTrial !== undefined || !memory.isEmpty()) return false;
    if (all !== namesOf(this.#table, typeUrl)) return false;
    const fullSet = responses.fullSet(this.#table, typeUrl as TypeUrl);
    if (fullSet === undefined || fullSet.bytes > this.#state.limits.responseBytesMax) return false;
    if (this.#mayBring(allHeld)) {
      this.resources = fullSet.resources;
      this.held = fullSet.alike(allHeld);
    } else {
      this.waiting = fullSet.resources.length;
    }
    return true;
  }

  /** An array that begins with one element has room for that one; one that grows begins with room for 17. */
  #choose(resource: Resource, held: Held): void {
    if (this.resources.length === 0) {
      this.resources = [resource];
      this.held = [held];
    } else {
      (this.resources as Resource[]).push(resource);
      (this.held as Held[]).push(held);
    }
  }

  #canRemove(): boolean {
    this.#mayRemove ??= (REMOVED_AFTER.get(this.#subscription.typeUrl) ?? []).every((parent) =>
      isOutOfTheWay(this.#state, parent),
    );
    return this.#mayRemove;
  }
}

function select(state: StreamState, table: ResourceTable, subscription: Subscription): Selection {
  const { typeUrl, pending } = subscription;
  const selection = new Selection(state, table, subscription);
  subscription.withheld = 0;
  const { only } = pending;
  if (only !== undefined) selection.consider(only, pending.get(only) ?? ABSENT);
  else if (pending.all === undefined || !selection.considerAll(pending)) {
    for (const [name, held] of pending.entries()) selection.consider(name, held);
  }
  if (state.options.protocol === "sotw" && !hasLegacyWildcard(typeUrl)) forget(selection, pending);
  return selection;
}

/** These types have no way to say "gone" on a state-of-the-world stream. */
function forget(selection: Selection, pending: HeldNames): void {
  for (const name of selection.removed) pending.delete(name);
  selection.removed = NO_NAMES;
}

/** A first answer waits for what is being made for it; later ones do not. */
function isWorthSending({ mustAnswer }: Subscription, { resources, removed, waiting, awaited }: Selection): boolean {
  if (mustAnswer && awaited > 0) return false;
  return resources.length > 0 || removed.length > 0 || (mustAnswer && waiting === 0);
}

/** Nothing that the client holds of this type may still name what is to be removed. */
function isOutOfTheWay(state: StreamState, typeUrl: string): boolean {
  const subscription = subscriptionOf(state, typeUrl);
  return subscription === undefined ? state.isQuiet : isSettled(subscription);
}

/**
 * Listeners and routes wait for the clusters that they may name: a change until the client has accepted the new
 * clusters, which Envoy does when they are warm; what the client asks for only until they are sent.
 */
function bringRule(state: StreamState, table: ResourceTable, subscription: Subscription): (held: Held) => boolean {
  const { typeUrl } = subscription;
  if (typeUrl !== TYPE_URLS.listener && typeUrl !== TYPE_URLS.route) return always;
  const clusters = subscriptionOf(state, TYPE_URLS.cluster);
  if (clusters === undefined) return always;
  if (hasUnsentClusters(state, table, clusters)) return never;
  if (!clusters.outstanding?.hasNew) return always;
  const isFirstEver = subscription.isFresh && subscription.mustAnswer;
  return (held) => isFirstEver || held === ASKED;
}

const always = () => true;
const never = () => false;

function hasUnsentClusters(state: StreamState, table: ResourceTable, clusters: Subscription): boolean {
  for (const [name, held] of clusters.pending.entries()) {
    if (versionIn(held) !== undefined) continue;
    const resource = resourceOf(table, TYPE_URLS.cluster, name);
    if (resource === undefined) continue;
    if (!state.options.memory.isRefused(TYPE_URLS.cluster, name, resource.version)) return true;
  }
  return false;
}

function respond(state: StreamState, table: ResourceTable, subscription: Subscription, selection: Selection): Response {
  const { typeUrl, pending } = subscription;
  const isSotw = state.options.protocol === "sotw";
  const contents = isSotw && hasLegacyWildcard(typeUrl) ? wholeState(table, subscription, selection) : selection;
  if (selection.resources.length + selection.removed.length === pending.size) pending.clear();
  else {
    for (const { name } of selection.resources) pending.delete(name);
    for (const name of selection.removed) pending.delete(name);
  }
  if (isSotw) subscription.version++;
  if (subscription.onTrial !== undefined) for (const { name } of selection.resources) subscription.onTrial.delete(name);
  const { resources, held } = contents;
  let requiredResends = 0;
  let hasNew = false;
  for (let n = 0; n < resources.length; n++) {
    const before = held[n] ?? ABSENT;
    if (isOwed(before, resources[n]?.version ?? "")) requiredResends++;
    if (versionIn(before) === undefined) hasNew = true;
  }
  const content = {
    typeUrl,
    version: String(isSotw ? subscription.version : table.generation),
    generation: table.generation,
    resources,
    removed: isSotw ? NO_NAMES : selection.removed,
    requiredResends,
  };
  const response = state.options.responses.respond(content, subscription.lastSerial);
  subscription.mustAnswer = false;
  subscription.lastNonce = response.nonce;
  subscription.lastSerial = response.serial;
  subscription.outstanding = { response, before: held, hasNew };
  if (typeUrl === TYPE_URLS.cluster) oweEndpoints(state, table, selection);
  return response;
}

/**
 * All that a state-of-the-world client is to hold of a type: what it accepted last stands in for what was refused and
 * for what must not be removed or changed yet.
 */
function wholeState(table: ResourceTable, subscription: Subscription, selection: Selection) {
  const { typeUrl, pending, accepted, names, isWildcard } = subscription;
  const resources: Resource[] = [];
  const held: Held[] = [];
  const chosen = new Map(selection.resources.map((resource, position) => [resource.name, selection.held[position]]));
  const add = (name: string) => {
    const resource = resourceOf(table, typeUrl, name);
    if (resource !== undefined && (chosen.has(name) || !pending.has(name))) {
      resources.push(resource);
      held.push(chosen.get(name) ?? resource.version);
      return;
    }
    const last = selection.removed.includes(name) ? undefined : accepted?.get(name);
    if (last === undefined) return;
    resources.push(last);
    held.push(last.version);
  };
  const wanted = new Set(isWildcard ? [...namesOf(table, typeUrl), ...names] : names);
  for (const name of wanted) add(name);
  for (const [name] of pending.entries()) if (!wanted.has(name)) add(name);
  return { resources, held };
}

/**
 * Envoy warms an updated cluster until it gets endpoints, does not ask for them, and gives up after 15 s: so they are
 * sent again even if they did not change.
 */
function oweEndpoints(state: StreamState, table: ResourceTable, { resources, held }: Selection): void {
  const endpoints = subscriptionOf(state, TYPE_URLS.endpoints);
  for (let n = 0; n < resources.length; n++) {
    const before = held[n];
    if (before === ABSENT || before === ASKED) continue;
    const { name } = resources[n] as Resource;
    const current = table.get(TYPE_URLS.endpoints, name)?.version;
    if (current === undefined) continue;
    if (endpoints === undefined) {
      state.updatedClusters ??= new Set();
      state.updatedClusters.add(name);
    } else if (isSubscribed(endpoints, name)) {
      const version = versionIn(endpoints.pending.get(name) ?? current);
      if (version === undefined) continue;
      unsettle(state, endpoints);
      endpoints.pending.set(name, owed(version));
    }
  }
}
