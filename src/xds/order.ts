import type { Response } from "./protocol.ts";
import { type Resource, type ResourceTable, TYPE_URLS } from "./resource.ts";
import { namesOf, resourceOf, type StreamState } from "./stream-state.ts";
import {
  ABSENT,
  ASKED,
  type Held,
  hasLegacyWildcard,
  isSettled,
  isSubscribed,
  ON_TRIAL,
  owed,
  type Subscription,
  versionIn,
} from "./subscription.ts";

/** Make before break: what is named goes before what names it. Other types follow in the order of their requests. */
const SEND_ORDER: readonly string[] = [
  TYPE_URLS.secret,
  TYPE_URLS.cluster,
  TYPE_URLS.endpoints,
  TYPE_URLS.listener,
  TYPE_URLS.route,
];

/** A resource is removed once the client has accepted that nothing of these types names it any more. */
const REMOVED_AFTER: Readonly<Record<string, readonly string[]>> = {
  [TYPE_URLS.route]: [TYPE_URLS.listener],
  [TYPE_URLS.cluster]: [TYPE_URLS.listener, TYPE_URLS.route],
  [TYPE_URLS.endpoints]: [TYPE_URLS.cluster],
  [TYPE_URLS.secret]: [TYPE_URLS.cluster, TYPE_URLS.listener],
};

interface Selection {
  readonly chosen: Map<string, { readonly resource: Resource; readonly held: Held }>;
  readonly removed: string[];
  /** Differences that have to wait for another type, or for the next response. */
  waiting: number;
}

/** What can be sent now, in the order in which it must be sent. At most one response of a type is left un-ACKed. */
export function nextResponses(state: StreamState, table: ResourceTable): Response[] {
  const responses: Response[] = [];
  for (const subscription of state.subscriptions.values()) dropSettled(table, subscription);
  for (const subscription of inSendOrder(state)) {
    if (subscription.outstanding !== undefined) continue;
    if (subscription.pending.size === 0 && !subscription.mustAnswer) continue;
    const selection = select(state, table, subscription);
    if (!isWorthSending(subscription, selection)) continue;
    responses.push(respond(state, table, subscription, selection));
  }
  return responses;
}

/** Forgets differences that are none any more, so that nothing waits for them. */
function dropSettled(table: ResourceTable, subscription: Subscription): void {
  const { typeUrl, pending } = subscription;
  for (const [name, held] of pending) {
    if ((resourceOf(table, typeUrl, name)?.version ?? ABSENT) === held) pending.delete(name);
  }
  if (pending.size === 0) subscription.withheld = 0;
}

function* inSendOrder(state: StreamState): Iterable<Subscription> {
  for (const typeUrl of SEND_ORDER) {
    const subscription = state.subscriptions.get(typeUrl);
    if (subscription !== undefined) yield subscription;
  }
  for (const subscription of state.subscriptions.values()) {
    if (!SEND_ORDER.includes(subscription.typeUrl)) yield subscription;
  }
}

function select(state: StreamState, table: ResourceTable, subscription: Subscription): Selection {
  const { typeUrl, pending } = subscription;
  const { memory, protocol } = state.options;
  const mayRemove = (REMOVED_AFTER[typeUrl] ?? []).every((parent) => isOutOfTheWay(state, parent));
  const mayBring = bringRule(state, table, subscription);
  const bytesMax = protocol === "delta" ? state.limits.responseBytesMax : Number.POSITIVE_INFINITY;
  const selection: Selection = { chosen: new Map(), removed: [], waiting: 0 };
  let bytes = 0;
  let isAlone = false;
  subscription.withheld = 0;
  for (const [name, held] of pending) {
    const resource = resourceOf(table, typeUrl, name);
    const isFull = bytes > 0 && (isAlone || held === ON_TRIAL || bytes + sizeOf(name, resource) > bytesMax);
    if (resource !== undefined && memory.isRefused(typeUrl, name, resource.version)) subscription.withheld++;
    else if (isFull || !(resource === undefined ? mayRemove || held === ASKED : mayBring(held))) selection.waiting++;
    else {
      bytes += sizeOf(name, resource);
      isAlone = held === ON_TRIAL;
      if (resource === undefined) selection.removed.push(name);
      else selection.chosen.set(name, { resource, held });
    }
  }
  if (protocol === "sotw" && !hasLegacyWildcard(typeUrl)) forget(selection.removed, pending);
  return selection;
}

function sizeOf(name: string, resource: Resource | undefined): number {
  return name.length + (resource?.bytes.length ?? 0);
}

/** These types have no way to say "gone" on a state-of-the-world stream. */
function forget(removed: string[], pending: Map<string, Held>): void {
  for (const name of removed.splice(0)) pending.delete(name);
}

function isWorthSending(subscription: Subscription, { chosen, removed, waiting }: Selection): boolean {
  return chosen.size > 0 || removed.length > 0 || (subscription.mustAnswer && waiting === 0);
}

/** Nothing that the client holds of this type may still name what is to be removed. */
function isOutOfTheWay(state: StreamState, typeUrl: string): boolean {
  const subscription = state.subscriptions.get(typeUrl);
  return subscription === undefined ? state.isQuiet : isSettled(subscription);
}

/**
 * Listeners and routes wait for the clusters that they may name: a change until the client has accepted the new
 * clusters, which Envoy does when they are warm; what the client asks for only until they are sent.
 */
function bringRule(state: StreamState, table: ResourceTable, subscription: Subscription): (held: Held) => boolean {
  const { typeUrl } = subscription;
  if (typeUrl !== TYPE_URLS.listener && typeUrl !== TYPE_URLS.route) return () => true;
  const clusters = state.subscriptions.get(TYPE_URLS.cluster);
  if (clusters === undefined) return () => true;
  if (hasUnsentClusters(state, table, clusters)) return () => false;
  if (!clusters.outstanding?.hasNew) return () => true;
  const isFirstEver = subscription.isFresh && subscription.mustAnswer;
  return (held) => isFirstEver || held === ASKED;
}

function hasUnsentClusters(state: StreamState, table: ResourceTable, clusters: Subscription): boolean {
  for (const [name, held] of clusters.pending) {
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
  const contents =
    isSotw && hasLegacyWildcard(typeUrl) ? wholeState(table, subscription, selection) : [...selection.chosen.values()];
  for (const name of selection.chosen.keys()) pending.delete(name);
  for (const name of selection.removed) pending.delete(name);
  if (isSotw) subscription.version++;
  const response: Response = {
    typeUrl,
    nonce: `${state.options.noncePrefix}${++state.nonces}`,
    version: String(isSotw ? subscription.version : table.generation),
    generation: table.generation,
    resources: contents.map(({ resource }) => resource),
    removed: isSotw ? [] : selection.removed,
    requiredResends: contents.filter(({ resource, held }) => held === owed(resource.version)).length,
  };
  subscription.mustAnswer = false;
  subscription.lastNonce = response.nonce;
  subscription.outstanding = {
    response,
    before: contents.map(({ held }) => held),
    hasNew: contents.some(({ held }) => versionIn(held) === undefined),
  };
  if (typeUrl === TYPE_URLS.cluster) oweEndpoints(state, table, [...selection.chosen.values()]);
  return response;
}

/**
 * All that a state-of-the-world client is to hold of a type: what it accepted last stands in for what was refused and
 * for what must not be removed or changed yet.
 */
function wholeState(table: ResourceTable, subscription: Subscription, selection: Selection) {
  const { typeUrl, pending, accepted, names, isWildcard } = subscription;
  const contents: { resource: Resource; held: Held }[] = [];
  const add = (name: string) => {
    const resource = resourceOf(table, typeUrl, name);
    const chosen = selection.chosen.get(name);
    if (chosen !== undefined) contents.push(chosen);
    else if (resource !== undefined && !pending.has(name)) contents.push({ resource, held: resource.version });
    else {
      const last = selection.removed.includes(name) ? undefined : accepted.get(name);
      if (last !== undefined) contents.push({ resource: last, held: last.version });
    }
  };
  const wanted = new Set(isWildcard ? [...namesOf(table, typeUrl), ...names] : names);
  for (const name of wanted) add(name);
  for (const name of pending.keys()) if (!wanted.has(name)) add(name);
  return contents;
}

/**
 * Envoy warms an updated cluster until it gets endpoints, does not ask for them, and gives up after 15 s: so they are
 * sent again even if they did not change.
 */
function oweEndpoints(
  state: StreamState,
  table: ResourceTable,
  clusters: readonly { readonly resource: Resource; readonly held: Held }[],
): void {
  const endpoints = state.subscriptions.get(TYPE_URLS.endpoints);
  for (const { resource, held } of clusters) {
    const { name } = resource;
    const current = table.get(TYPE_URLS.endpoints, name)?.version;
    if (held === ABSENT || held === ASKED || current === undefined) continue;
    if (endpoints === undefined) state.updatedClusters.add(name);
    else if (isSubscribed(endpoints, name)) {
      const version = versionIn(endpoints.pending.get(name) ?? current);
      if (version !== undefined) endpoints.pending.set(name, owed(version));
    }
  }
}
