import type { Response } from "./protocol.ts";
import { type Resource, TYPE_URLS } from "./resource.ts";

/**
 * What a client holds under a name: a version, or one of these marks. Versions are hashes or `issuer.serial.expiry`, so
 * that no mark is one.
 */
export type Held = string;
/** Nothing. */
export const ABSENT: Held = "-";
/** The client asks to be told, whatever it holds; if there is nothing, it asks to be told that. */
export const ASKED: Held = "?";
/** Not known, because the client refused a response that said something about this name. */
export const UNCERTAIN: Held = "~";
/** As `UNCERTAIN`; and the resource goes alone, to find out whether it was what the client refused. */
export const ON_TRIAL: Held = "~1";

const OWED_PREFIX = "!";
/** Holds `version`, and has to be sent what the table says even if that is the same. */
export function owed(version: string): Held {
  return OWED_PREFIX + version;
}
/** The version that a client holds, where it is known to hold one. */
export function versionIn(held: Held): string | undefined {
  if (held === ABSENT || held === ASKED || held === UNCERTAIN || held === ON_TRIAL) return undefined;
  return held.startsWith(OWED_PREFIX) ? held.slice(OWED_PREFIX.length) : held;
}

/**
 * One resource type on one stream.
 *
 * The client is taken to hold, for each subscribed name, exactly what the stream's table says, except for the names in
 * `pending`. Tables are shared by all streams of a class, so that a stream that is up to date costs nothing per
 * resource, whatever the size of its table.
 */
export interface Subscription {
  readonly typeUrl: string;
  isWildcard: boolean;
  /** Has named a resource, so that an empty list no longer means the wildcard. */
  hasNamed: boolean;
  /** Names asked for beside the wildcard. */
  readonly names: Set<string>;
  /** Names for which the client may hold something else than the table says, with what it holds. */
  readonly pending: Map<string, Held>;
  /** How many entries of `pending` wait for another version because the client refused this one. */
  withheld: number;
  /** The first request has not been answered yet. */
  mustAnswer: boolean;
  /** The client came without any resource of this type. */
  readonly isFresh: boolean;
  outstanding: Outstanding | undefined;
  /** Nonce of the newest response of this type. */
  lastNonce: string;
  /** State of the world only: `version_info` of the newest response. */
  version: number;
  /** State of the world only, for types whose responses hold everything: what the client has accepted. */
  accepted: ReadonlyMap<string, Resource>;
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

export function newSubscription(typeUrl: string, isFresh: boolean): Subscription {
  return {
    typeUrl,
    isWildcard: false,
    hasNamed: false,
    names: new Set(),
    pending: new Map(),
    withheld: 0,
    mustAnswer: true,
    isFresh,
    outstanding: undefined,
    lastNonce: "",
    version: 0,
    accepted: new Map(),
  };
}
