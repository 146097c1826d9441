import { invariant } from "../../lib/mod.ts";
import { type NameSet, type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../resource.ts";
import type { DeltaRequest, SotwRequest, StreamLimits } from "./protocol.ts";
import { DEFAULT_STREAM_LIMITS } from "./protocol.ts";
import type { RefusalMemory } from "./refusals.ts";
import type { SharedResponses } from "./shared-responses.ts";
import { isSubscribed as isWanted, type Subscription } from "./subscription.ts";
import type { TableDifference } from "./table-difference.ts";

export interface StreamOptions {
  readonly protocol: "delta" | "sotw";
  /** What `node.id` may be: the names under which the verified credential is known. */
  readonly nodeIds: readonly string[];
  /** Of the proxy, not of the stream. */
  readonly memory: RefusalMemory;
  /** Shared by the streams of a server. */
  readonly difference: TableDifference;
  /** Shared by the streams of a server. */
  readonly responses: SharedResponses;
  readonly limits?: StreamLimits;
}

/** What the server knows about one stream. Owned by whoever calls `step`, changed by nothing else. */
export interface StreamState {
  readonly options: StreamOptions;
  readonly limits: StreamLimits;
  table: ResourceTable | undefined;
  /** Requests that came before the first table. */
  waiting: (DeltaRequest | SotwRequest)[] | undefined;
  /** One for each type that the client asked for, in the order in which types are sent: few, and looked at often. */
  subscriptions: readonly Subscription[];
  /**
   * Bit n: something may be owed, under way or awaited of `subscriptions[n]`. All others are settled. An input is about one
   * type, mostly, and there are thousands of streams: what it is not about stays in memory that is far away.
   */
  unsettled: number;
  /** Bit n: `subscriptions[n]` may have names that are kept. */
  keeping: number;
  /** Clusters updated on this stream before the client said which endpoints it holds. */
  updatedClusters: Set<string> | undefined;
  hasRequested: boolean;
  isQuiet: boolean;
  isEnded: boolean;
  settledGeneration: number;
}

/** The state of a stream on which nothing has happened yet. */
export function createStream(options: StreamOptions): StreamState {
  const limits = options.limits ?? DEFAULT_STREAM_LIMITS;
  invariant(limits.typesMax <= 31, `a stream of ${limits.typesMax} types`);
  return {
    options,
    limits,
    table: undefined,
    waiting: undefined,
    subscriptions: [],
    unsettled: 0,
    keeping: 0,
    updatedClusters: undefined,
    hasRequested: false,
    isQuiet: false,
    isEnded: false,
    settledGeneration: -1,
  };
}

/** Of at most 31 subscriptions. */
const ALL = -1;

/** Make before break: what is named goes before what names it. Other types follow in the order of their requests. */
const SEND_ORDER: readonly string[] = [
  TYPE_URLS.secret,
  TYPE_URLS.cluster,
  TYPE_URLS.endpoints,
  TYPE_URLS.listener,
  TYPE_URLS.route,
];

export function subscriptionOf({ subscriptions }: StreamState, typeUrl: string): Subscription | undefined {
  // Who asks for every type, as Envoy does, has each in its place: no other one has to be looked at.
  const rank = SEND_ORDER.indexOf(typeUrl);
  const likely = rank < 0 ? undefined : subscriptions[rank];
  if (likely?.typeUrl === typeUrl) return likely;
  for (let n = 0; n < subscriptions.length; n++) if (subscriptions[n]?.typeUrl === typeUrl) return subscriptions[n];
  return undefined;
}

/** Adds the first subscription of a type, in its place. */
export function addSubscription(state: StreamState, subscription: Subscription): void {
  const rank = sendRank(subscription);
  const next = state.subscriptions.findIndex((other) => sendRank(other) > rank);
  state.subscriptions = state.subscriptions.toSpliced(next < 0 ? state.subscriptions.length : next, 0, subscription);
  // They have other places now: each is looked at once more.
  state.unsettled = ALL;
  state.keeping = ALL;
}

/** To be called before something is noted of a subscription that may be settled. */
export function unsettle(state: StreamState, subscription: Subscription): void {
  state.unsettled |= 1 << state.subscriptions.indexOf(subscription);
}

/** To be called before a name of a subscription is kept. */
export function noteKept(state: StreamState, subscription: Subscription): void {
  state.keeping |= 1 << state.subscriptions.indexOf(subscription);
}

/** Whether `bits` say something of the subscription at `position`. */
export function has(bits: number, position: number): boolean {
  return ((bits >>> position) & 1) !== 0;
}

function sendRank({ typeUrl }: Subscription): number {
  const rank = SEND_ORDER.indexOf(typeUrl);
  return rank < 0 ? SEND_ORDER.length : rank;
}

/** Whether the client asks for `name`, by itself or along with everything. */
export function isSubscribed(state: StreamState, typeUrl: string, name: string): boolean {
  const subscription = subscriptionOf(state, typeUrl);
  return subscription !== undefined && isWanted(subscription, name);
}

/** What the stream's table holds under a name. A type that this server does not speak has no resources. */
export function resourceOf(table: ResourceTable, typeUrl: string, name: string): Resource | undefined {
  return table.get(typeUrl as TypeUrl, name);
}

export function namesOf(table: ResourceTable, typeUrl: string): NameSet {
  return table.names(typeUrl as TypeUrl);
}

/** Whether there is something that the client may be sent once it has acknowledged what it was sent. */
export function owesAnything({ subscriptions, waiting, unsettled }: StreamState): boolean {
  if (waiting !== undefined) return true;
  for (let n = 0; n < subscriptions.length; n++) {
    if (has(unsettled, n) && (subscriptions[n] as Subscription).pending.size > 0) return true;
  }
  return false;
}
