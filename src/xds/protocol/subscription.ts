import { type Resource, TYPE_URLS } from "../resource.ts";
import { type Held, HeldNames } from "./held-names.ts";
import type { Response } from "./protocol.ts";
import { SubscribedNames } from "./subscribed-names.ts";

/**
 * One resource type on one stream.
 *
 * The client is taken to hold, for each subscribed name, exactly what the stream's table says, except for the names in
 * `pending` and `kept`. Tables are shared by all streams of a class, so that a stream that is up to date costs nothing per
 * resource, whatever the size of its table.
 */
export interface Subscription {
  readonly typeUrl: string;
  isWildcard: boolean;
  /** Has named a resource, so that an empty list no longer means the wildcard. */
  hasNamed: boolean;
  /** Names asked for beside the wildcard. */
  readonly names: SubscribedNames;
  /** Names for which the client may hold something else than the table says, with what it holds. */
  readonly pending: HeldNames;
  /**
   * Names for which the client holds another version than the table's, one that the table says is as good. None of them
   * is pending.
   */
  kept: HeldNames | undefined;
  /** Pending names whose resources go alone, to find out whether it was one of them that the client refused. */
  onTrial: Set<string> | undefined;
  /** How many entries of `pending` wait for another version because the client refused this one. */
  withheld: number;
  /** The first request has not been answered yet. */
  mustAnswer: boolean;
  /** The client came without any resource of this type. */
  readonly isFresh: boolean;
  outstanding: Outstanding | undefined;
  /** Nonce of the newest response of this type. */
  lastNonce: string;
  /** Its serial number: later responses of the type have greater ones. */
  lastSerial: number;
  /** State of the world only: `version_info` of the newest response. */
  version: number;
  /** State of the world only, for types whose responses hold everything: what the client has accepted. */
  accepted: ReadonlyMap<string, Resource> | undefined;
}

/** The response that the client has yet to acknowledge. */
export interface Outstanding {
  readonly response: Response;
  /** What the client held of each of the response's resources before. */
  readonly before: readonly Held[];
  /** Brings resources of which the client had none. */
  readonly hasNew: boolean;
}

/** Types for which an empty list of names means everything. */
export function hasLegacyWildcard(typeUrl: string): boolean {
  return typeUrl === TYPE_URLS.cluster || typeUrl === TYPE_URLS.listener;
}

/** Whether the client wants to hear about this name. */
export function isSubscribed(subscription: Subscription, name: string): boolean {
  return subscription.isWildcard || subscription.names.has(name);
}

/** Every answer given and acknowledged, every difference sent, except for what the client refused. */
export function isAcknowledged(subscription: Subscription): boolean {
  return (
    subscription.outstanding === undefined &&
    !subscription.mustAnswer &&
    subscription.pending.size === subscription.withheld
  );
}

/** The client holds exactly what the table says. */
export function isSettled(subscription: Subscription): boolean {
  return subscription.outstanding === undefined && !subscription.mustAnswer && subscription.pending.size === 0;
}

const KNOWN_TYPES: readonly string[] = Object.values(TYPE_URLS);

export function newSubscription(typeUrl: string, isFresh: boolean): Subscription {
  return {
    // The constant: a client's own text would be kept by each stream, and compared letter by letter.
    typeUrl: KNOWN_TYPES.find((known) => known === typeUrl) ?? typeUrl,
    isWildcard: false,
    hasNamed: false,
    names: new SubscribedNames(),
    pending: new HeldNames(),
    kept: undefined,
    onTrial: undefined,
    withheld: 0,
    mustAnswer: true,
    isFresh,
    outstanding: undefined,
    lastNonce: "",
    lastSerial: 0,
    version: 0,
    accepted: undefined,
  };
}

/** As `prefetch` of a stream. */
export function prefetchSubscription({ pending, names, lastSerial, outstanding }: Subscription): number {
  return pending.size + names.size + lastSerial + Number(outstanding?.hasNew);
}
