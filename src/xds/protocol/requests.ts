import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../resource.ts";
import { ABSENT, ASKED, type Held, HeldNames, owed, UNCERTAIN } from "./held-names.ts";
import type { Claims, DeltaRequest, SaidNames, SotwRequest, StreamEnd } from "./protocol.ts";
import { withinLimits } from "./request-limits.ts";
import {
  addSubscription,
  has,
  namesOf,
  noteKept,
  resourceOf,
  type StreamState,
  subscriptionOf,
  unsettle,
} from "./stream-state.ts";
import { hasLegacyWildcard, isSubscribed, newSubscription, type Subscription } from "./subscription.ts";
import { judge, type Verdicts } from "./verdicts.ts";

/** Subscribes to everything of a type. */
const WILDCARD = "*";
const NO_CLAIMS: Claims = new Map<string, string>();

/** Takes in a delta request: the verdict on a response that it may carry, then its changes of subscription. */
export function takeDeltaRequest(
  state: StreamState,
  table: ResourceTable,
  request: DeltaRequest,
  verdicts: Verdicts,
): StreamEnd | undefined {
  const { typeUrl, initialVersions, subscribe: named, unsubscribe: leaving } = request;
  const known = subscriptionOf(state, typeUrl);
  if (known !== undefined && named.length + leaving.length + initialVersions.size === 0) {
    // An ACK that says nothing else: by far the most frequent request.
    judge(state, known, request.nonce, request.error, verdicts);
    if (typeUrl === TYPE_URLS.endpoints) state.updatedClusters = undefined;
    return undefined;
  }
  const subscription = known ?? newSubscription(typeUrl, initialVersions.size === 0);
  const end = withinLimits(state, subscription, { named, claims: initialVersions, leaving });
  if (end !== undefined) return end;
  if (known === undefined) addSubscription(state, subscription);
  unsettle(state, subscription);

  if (known !== undefined) judge(state, known, request.nonce, request.error, verdicts);
  for (const name of leaving) unsubscribe(subscription, name);
  const claims = known === undefined ? initialVersions : NO_CLAIMS;
  const names = named.includes(WILDCARD) ? [...named].filter((name) => name !== WILDCARD) : named;
  const wantsAll =
    names.length < named.length || (known === undefined && named.length === 0 && hasLegacyWildcard(typeUrl));
  if (named.length > 0) subscription.hasNamed = true;
  if (known !== undefined || !beginWithAll(state, table, subscription, { names, wantsAll, claims })) {
    if (wantsAll) subscribeToAll(state, table, subscription, claims);
    for (const name of names) subscribe(state, table, subscription, name, claims.get(name));
    subscription.names.share(namesOf(table, typeUrl));
  }
  if (known === undefined) trySuspects(state, table, subscription);
  if (typeUrl === TYPE_URLS.endpoints) state.updatedClusters = undefined;
  if (known === undefined && !owesFirstAnswer(state, subscription)) {
    subscription.mustAnswer = false;
    verdicts.add({ kind: "held", typeUrl, generation: table.generation });
  }
  return undefined;
}

/**
 * Nearly everybody begins by asking for all that there is and holds nothing of it, or, on coming back, all of it: then no
 * name has to be looked at by itself. False where it is not so, and nothing is done.
 */
function beginWithAll(
  state: StreamState,
  table: ResourceTable,
  subscription: Subscription,
  { names, wantsAll, claims }: { readonly names: SaidNames; readonly wantsAll: boolean; readonly claims: Claims },
): boolean {
  const typeUrl = subscription.typeUrl as TypeUrl;
  const all = namesOf(table, typeUrl);
  // Numbers first: a full set is not made for who says one name of thousands.
  const said = wantsAll ? claims.size : names.length;
  if (said !== all.size) return false;
  // Who wants everything and names some of it, was refused something, or is owed endpoints is rare enough.
  if (wantsAll && names.length > 0) return false;
  const isComparable =
    claims.size === all.size && state.updatedClusters === undefined && state.options.memory.isEmpty();
  if (claims.size > 0 && !isComparable) return false;
  const fullSet = state.options.responses.fullSet(table, typeUrl);
  if (fullSet === undefined || !(wantsAll || fullSet.isNamedBy(names))) return false;
  if (claims.size > 0 && !fullSet.isHeldBy(claims)) return false;
  if (wantsAll) subscription.isWildcard = true;
  else subscription.names.begin(all);
  if (claims.size === 0) subscription.pending.setAll(all, ASKED);
  return true;
}

/**
 * A client that claims nothing waits for an answer, be it empty: a new Envoy does so before it goes on. One that claims
 * has been answered on an earlier stream, so that an empty answer would tell it nothing; but the first answer on a stream
 * makes Envoy forget how often it failed to connect, without which it would wait ever longer before it tries again.
 */
function owesFirstAnswer({ subscriptions }: StreamState, { isFresh, pending }: Subscription): boolean {
  return isFresh || pending.size > 0 || subscriptions.length === 1;
}

/** Takes in a state-of-the-world request. One that answers an older response than the newest is ignored. */
export function takeSotwRequest(
  state: StreamState,
  table: ResourceTable,
  request: SotwRequest,
  verdicts: Verdicts,
): StreamEnd | undefined {
  const known = subscriptionOf(state, request.typeUrl);
  if (known !== undefined && request.nonce !== "" && request.nonce !== known.lastNonce) return undefined;
  const subscription = known ?? newSubscription(request.typeUrl, request.version === "");
  const leaving = [...subscription.names];
  const end = withinLimits(state, subscription, { named: request.names, claims: NO_CLAIMS, leaving });
  if (end !== undefined) return end;
  if (known === undefined) addSubscription(state, subscription);
  unsettle(state, subscription);

  if (known === undefined) subscription.version = continuedVersion(request.version);
  else judge(state, known, request.nonce, request.error, verdicts);
  if (request.names.length > 0) subscription.hasNamed = true;
  const wanted = new Set(request.names);
  const wantsAll = wanted.delete(WILDCARD) || (!subscription.hasNamed && hasLegacyWildcard(request.typeUrl));
  for (const name of [...subscription.names]) if (!wanted.has(name)) unsubscribe(subscription, name);
  if (!wantsAll) unsubscribe(subscription, WILDCARD);
  else if (!subscription.isWildcard) subscribeToAll(state, table, subscription, NO_CLAIMS);
  for (const name of wanted) {
    if (!subscription.names.has(name)) subscribe(state, table, subscription, name, undefined);
  }
  subscription.names.share(namesOf(table, request.typeUrl));
  if (known === undefined) trySuspects(state, table, subscription);
  if (request.typeUrl === TYPE_URLS.endpoints) state.updatedClusters = undefined;
  return undefined;
}

/** Notes what a new desired state changes for each subscription. */
export function moveToTable(state: StreamState, previous: ResourceTable, next: ResourceTable): void {
  const changes = state.options.difference(previous, next);
  const { types } = changes;
  // Plain loops: every change for all runs through here on every stream.
  for (let n = 0; n < types.length; n++) {
    const subscription = subscriptionOf(state, types[n] as TypeUrl);
    if (subscription === undefined) continue;
    const names = changes.names(types[n] as TypeUrl);
    unsettle(state, subscription);
    for (let m = 0; m < names.length; m++) moveName(subscription, previous, names[m] as string);
  }
  if (state.keeping !== 0) reviewAllKept(state, previous, next);
}

function reviewAllKept(state: StreamState, previous: ResourceTable, next: ResourceTable): void {
  const { subscriptions, keeping } = state;
  state.keeping = 0;
  for (let n = 0; n < subscriptions.length; n++) {
    const subscription = subscriptions[n] as Subscription;
    if (!has(keeping, n) || subscription.kept === undefined) continue;
    unsettle(state, subscription);
    reviewKept(subscription, subscription.kept, previous, next);
    if (subscription.kept !== undefined) noteKept(state, subscription);
  }
}

function moveName(subscription: Subscription, previous: ResourceTable, name: string): void {
  const { pending, typeUrl } = subscription;
  subscription.onTrial?.delete(name);
  if (!isSubscribed(subscription, name) || pending.has(name) || subscription.kept?.has(name)) return;
  pending.set(name, resourceOf(previous, typeUrl, name)?.version ?? ABSENT);
}

/** What the client was let keep is pending once the new table says that it is no longer as good. */
function reviewKept(subscription: Subscription, kept: HeldNames, previous: ResourceTable, next: ResourceTable): void {
  const typeUrl = subscription.typeUrl as TypeUrl;
  for (const [name, version] of kept.entries()) {
    const isExact = next.get(typeUrl, name)?.version === version;
    if (!isExact && next.isAsGood === previous.isAsGood) continue;
    if (!isExact && next.isAsGood?.(typeUrl, name, version)) continue;
    kept.delete(name);
    if (!isExact) subscription.pending.set(name, version);
  }
  if (kept.size === 0) subscription.kept = undefined;
}

function subscribe(
  state: StreamState,
  table: ResourceTable,
  subscription: Subscription,
  name: string,
  claim: string | undefined,
): void {
  const resource = resourceOf(table, subscription.typeUrl, name);
  // The table's own string, so that a name is held once for all streams.
  const shared = resource?.name ?? name;
  subscription.names.add(shared);
  note(state, table, subscription, { name: shared, resource, held: claim ?? ASKED });
}

function subscribeToAll(state: StreamState, table: ResourceTable, subscription: Subscription, claims: Claims): void {
  const { typeUrl } = subscription;
  subscription.isWildcard = true;
  const all = namesOf(table, typeUrl);
  if (isUntouched(subscription) && claims.size === 0 && state.options.memory.isEmpty()) {
    subscription.pending.setAll(all, ABSENT);
    return;
  }
  for (const name of all) {
    if (subscription.names.has(name)) continue;
    note(state, table, subscription, {
      name,
      resource: resourceOf(table, typeUrl, name),
      held: claims.get(name) ?? ABSENT,
    });
  }
  const { memory } = state.options;
  for (const name of [...claims.keys(), ...memory.uncertainNames(typeUrl)]) {
    if (resourceOf(table, typeUrl, name) !== undefined) continue;
    // Envoy goes on claiming what it removed if the response that said so was refused.
    subscription.pending.set(name, memory.isUncertain(typeUrl, name) ? UNCERTAIN : (claims.get(name) ?? UNCERTAIN));
  }
}

function isUntouched({ names, pending, kept }: Subscription): boolean {
  return names.size === 0 && pending.size === 0 && kept === undefined;
}

/** On a new stream, what was refused together is sent again one by one: the good ones must not stay behind for ever. */
function trySuspects(state: StreamState, table: ResourceTable, subscription: Subscription): void {
  if (state.options.memory.isEmpty()) return;
  const { typeUrl, pending } = subscription;
  for (const [name, version] of state.options.memory.takeSuspects(typeUrl)) {
    if (resourceOf(table, typeUrl, name)?.version !== version || !pending.has(name)) continue;
    subscription.onTrial ??= new Set();
    subscription.onTrial.add(name);
  }
}

/** Notes what the client says it holds of a subscribed name, if that is not what the table says. */
function note(
  state: StreamState,
  table: ResourceTable,
  subscription: Subscription,
  said: { readonly name: string; readonly resource: Resource | undefined; readonly held: Held },
): void {
  const { typeUrl, pending } = subscription;
  const { name, resource, held } = said;
  subscription.kept?.delete(name);
  if (held === ASKED) pending.set(name, ASKED);
  else if (state.options.memory.isUncertain(typeUrl, name)) pending.set(name, UNCERTAIN);
  else if (held !== (resource?.version ?? ABSENT)) {
    if (held !== ABSENT && table.isAsGood?.(typeUrl as TypeUrl, name, held)) {
      noteKept(state, subscription);
      keep(subscription, name, held);
    } else pending.set(name, held);
  } else if (typeUrl === TYPE_URLS.endpoints && state.updatedClusters?.has(name)) pending.set(name, owed(held));
}

function keep(subscription: Subscription, name: string, version: string): void {
  subscription.pending.delete(name);
  subscription.kept ??= new HeldNames();
  subscription.kept.set(name, version);
}

function unsubscribe(subscription: Subscription, name: string): void {
  const { names, pending, kept } = subscription;
  if (name === WILDCARD) {
    subscription.isWildcard = false;
    for (const [other] of pending.entries()) if (!names.has(other)) pending.delete(other);
    for (const [other] of kept?.entries() ?? []) if (!names.has(other)) kept?.delete(other);
  } else if (names.delete(name)) {
    kept?.delete(name);
    subscription.onTrial?.delete(name);
    // The client forgets the resource although the wildcard covers it, and has to be told again.
    if (subscription.isWildcard) pending.set(name, ASKED);
    else pending.delete(name);
  }
}

/** Versions go on counting from what the client had on an earlier stream, as far as that was a number. */
function continuedVersion(version: string): number {
  return /^\d{1,15}$/.test(version) ? Number(version) : 0;
}
