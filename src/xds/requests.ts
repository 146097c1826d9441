import type { DeltaRequest, SotwRequest, StreamEnd, Verdict } from "./protocol.ts";
import type { ResourceTable } from "./resource.ts";
import { TYPE_URLS } from "./resource.ts";
import { namesOf, resourceOf, type StreamState } from "./stream-state.ts";
import {
  ABSENT,
  ASKED,
  hasLegacyWildcard,
  isSubscribed,
  newSubscription,
  ON_TRIAL,
  owed,
  type Subscription,
  UNCERTAIN,
} from "./subscription.ts";
import { judge } from "./verdicts.ts";

/** Subscribes to everything of a type. */
const WILDCARD = "*";
const NO_CLAIMS: ReadonlyMap<string, string> = new Map();

/** Takes in a delta request: the verdict on a response that it may carry, then its changes of subscription. */
export function takeDeltaRequest(
  state: StreamState,
  table: ResourceTable,
  request: DeltaRequest,
  verdicts: Verdict[],
): StreamEnd | undefined {
  const known = state.subscriptions.get(request.typeUrl);
  const subscription = known ?? newSubscription(request.typeUrl, request.initialVersions.size === 0);
  const named = [...request.subscribe, ...request.initialVersions.keys()];
  const end = withinLimits(state, subscription, named, request.unsubscribe);
  if (end !== undefined) return end;
  state.subscriptions.set(request.typeUrl, subscription);

  if (known !== undefined) judge(state, known, request.nonce, request.error, verdicts);
  for (const name of request.unsubscribe) unsubscribe(subscription, name);
  const claims = known === undefined ? request.initialVersions : NO_CLAIMS;
  const names = request.subscribe.filter((name) => name !== WILDCARD);
  const wantsAll =
    names.length < request.subscribe.length ||
    (known === undefined && request.subscribe.length === 0 && hasLegacyWildcard(request.typeUrl));
  if (request.subscribe.length > 0) subscription.hasNamed = true;
  if (wantsAll) subscribeToAll(state, table, subscription, claims);
  for (const name of names) subscribe(state, table, subscription, name, claims.get(name));
  if (known === undefined) trySuspects(state, table, subscription);
  if (request.typeUrl === TYPE_URLS.endpoints) state.updatedClusters.clear();
  return undefined;
}

/** Takes in a state-of-the-world request. One that answers an older response than the newest is ignored. */
export function takeSotwRequest(
  state: StreamState,
  table: ResourceTable,
  request: SotwRequest,
  verdicts: Verdict[],
): StreamEnd | undefined {
  const known = state.subscriptions.get(request.typeUrl);
  if (known !== undefined && request.nonce !== "" && request.nonce !== known.lastNonce) return undefined;
  const subscription = known ?? newSubscription(request.typeUrl, request.version === "");
  const end = withinLimits(state, subscription, request.names, [...subscription.names]);
  if (end !== undefined) return end;
  state.subscriptions.set(request.typeUrl, subscription);

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
  if (known === undefined) trySuspects(state, table, subscription);
  if (request.typeUrl === TYPE_URLS.endpoints) state.updatedClusters.clear();
  return undefined;
}

/** Notes what a new desired state changes for each subscription. */
export function moveToTable(state: StreamState, previous: ResourceTable, next: ResourceTable): void {
  for (const subscription of state.subscriptions.values()) {
    const typeUrl = subscription.typeUrl as Parameters<typeof state.options.difference>[2];
    for (const name of state.options.difference(previous, next, typeUrl)) {
      if (!isSubscribed(subscription, name)) continue;
      if (subscription.pending.has(name)) continue;
      subscription.pending.set(name, previous.get(typeUrl, name)?.version ?? ABSENT);
    }
  }
}

function subscribe(
  state: StreamState,
  table: ResourceTable,
  subscription: Subscription,
  name: string,
  claim: string | undefined,
): void {
  // The table's own string, so that a name is held once for all streams.
  const shared = resourceOf(table, subscription.typeUrl, name)?.name ?? name;
  subscription.names.add(shared);
  note(state, table, subscription, shared, claim ?? ASKED);
}

function subscribeToAll(
  state: StreamState,
  table: ResourceTable,
  subscription: Subscription,
  claims: ReadonlyMap<string, string>,
): void {
  const { typeUrl } = subscription;
  subscription.isWildcard = true;
  for (const name of namesOf(table, typeUrl)) {
    if (!subscription.names.has(name)) note(state, table, subscription, name, claims.get(name) ?? ABSENT);
  }
  const gone = [...claims.keys(), ...state.options.memory.uncertainNames(typeUrl)];
  for (const name of gone) {
    if (resourceOf(table, typeUrl, name) === undefined) {
      subscription.pending.set(name, claims.get(name) ?? UNCERTAIN);
    }
  }
}

/** On a new stream, what was refused together is sent again one by one: the good ones must not stay behind for ever. */
function trySuspects(state: StreamState, table: ResourceTable, subscription: Subscription): void {
  const { typeUrl, pending } = subscription;
  for (const [name, version] of state.options.memory.takeSuspects(typeUrl)) {
    const isCurrent = resourceOf(table, typeUrl, name)?.version === version;
    if (isCurrent && isSubscribed(subscription, name)) pending.set(name, ON_TRIAL);
  }
}

/** Notes what the client says it holds of a subscribed name, if that is not what the table says. */
function note(state: StreamState, table: ResourceTable, subscription: Subscription, name: string, held: string): void {
  const { typeUrl, pending } = subscription;
  if (held === ASKED) pending.set(name, ASKED);
  else if (state.options.memory.isUncertain(typeUrl, name)) pending.set(name, UNCERTAIN);
  else if (held !== (resourceOf(table, typeUrl, name)?.version ?? ABSENT)) pending.set(name, held);
  else if (typeUrl === TYPE_URLS.endpoints && state.updatedClusters.has(name)) pending.set(name, owed(held));
}

function unsubscribe(subscription: Subscription, name: string): void {
  const { names, pending } = subscription;
  if (name === WILDCARD) {
    subscription.isWildcard = false;
    for (const other of pending.keys()) if (!names.has(other)) pending.delete(other);
  } else if (names.delete(name)) {
    // The client forgets the resource although the wildcard covers it, and has to be told again.
    if (subscription.isWildcard) pending.set(name, ASKED);
    else pending.delete(name);
  }
}

function withinLimits(
  state: StreamState,
  subscription: Subscription,
  names: readonly string[],
  leaving: readonly string[],
): StreamEnd | undefined {
  const { namesMax, nameCharsMax, typesMax } = state.limits;
  const exhausted = (message: string): StreamEnd => ({ code: "RESOURCE_EXHAUSTED", message });
  if (!state.subscriptions.has(subscription.typeUrl) && state.subscriptions.size >= typesMax) {
    return exhausted(`a stream may ask for at most ${typesMax} resource types`);
  }
  if (subscription.typeUrl.length > nameCharsMax || names.some((name) => name.length > nameCharsMax)) {
    return exhausted(`a resource name or a type URL may have at most ${nameCharsMax} characters`);
  }
  if (names.length + subscription.names.size <= namesMax) return undefined;
  const after = new Set(subscription.names);
  for (const name of leaving) after.delete(name);
  for (const name of names) after.add(name);
  if (after.size > namesMax) return exhausted(`a stream may name at most ${namesMax} resources of one type`);
  return undefined;
}

/** Versions go on counting from what the client had on an earlier stream, as far as that was a number. */
function continuedVersion(version: string): number {
  return /^\d{1,15}$/.test(version) ? Number(version) : 0;
}
