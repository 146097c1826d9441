import type { DeltaRequest, SotwRequest, StreamLimits } from "./protocol.ts";
import { DEFAULT_STREAM_LIMITS } from "./protocol.ts";
import type { RefusalMemory } from "./refusals.ts";
import type { Resource, ResourceTable, TypeUrl } from "./resource.ts";
import type { Subscription } from "./subscription.ts";
import type { TableDifference } from "./table-difference.ts";

export interface StreamOptions {
  readonly protocol: "delta" | "sotw";
  /** What `node.id` may be: the names under which the verified credential is known. */
  readonly nodeIds: readonly string[];
  /** Makes nonces differ between streams. */
  readonly noncePrefix: string;
  /** Of the proxy, not of the stream. */
  readonly memory: RefusalMemory;
  /** Shared by the streams of a server. */
  readonly difference: TableDifference;
  readonly limits?: StreamLimits;
}

/** What the server knows about one stream. Owned by whoever calls `step`, changed by nothing else. */
export interface StreamState {
  readonly options: StreamOptions;
  readonly limits: StreamLimits;
  table: ResourceTable | undefined;
  /** Requests that came before the first table. */
  readonly waiting: (DeltaRequest | SotwRequest)[];
  readonly subscriptions: Map<string, Subscription>;
  /** Clusters updated on this stream before the client said which endpoints it holds. */
  readonly updatedClusters: Set<string>;
  hasRequested: boolean;
  isQuiet: boolean;
  isEnded: boolean;
  nonces: number;
  settledGeneration: number;
}

/** The state of a stream on which nothing has happened yet. */
export function createStream(options: StreamOptions): StreamState {
  return {
    options,
    limits: options.limits ?? DEFAULT_STREAM_LIMITS,
    table: undefined,
    waiting: [],
    subscriptions: new Map(),
    updatedClusters: new Set(),
    hasRequested: false,
    isQuiet: false,
    isEnded: false,
    nonces: 0,
    settledGeneration: -1,
  };
}

/** Whether the client asks for `name`, by itself or along with everything. */
export function isSubscribed({ subscriptions }: StreamState, typeUrl: string, name: string): boolean {
  const subscription = subscriptions.get(typeUrl);
  return subscription !== undefined && (subscription.isWildcard || subscription.names.has(name));
}

/** What the stream's table holds under a name. A type that this server does not speak has no resources. */
export function resourceOf(table: ResourceTable, typeUrl: string, name: string): Resource | undefined {
  return table.get(typeUrl as TypeUrl, name);
}

export function namesOf(table: ResourceTable, typeUrl: string): Iterable<string> {
  return table.names(typeUrl as TypeUrl);
}
