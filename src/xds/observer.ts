import type { Peer, Resource, TypeUrl } from "./resource.ts";

/** One open stream. The same object in every call about that stream, so that it serves as a map key. */
export interface StreamInfo {
  /** A small number that no other open stream of the server has; a later one may. */
  readonly slot: number;
  readonly peer: Peer;
  readonly protocol: "delta" | "sotw";
  /** Whether the proxy asks for this resource just now: an Envoy that uses a secret no more drops it. */
  isSubscribed(typeUrl: TypeUrl, name: string): boolean;
}

/** What one response carried. The same object for every stream that was sent the same. */
export interface Delivery {
  readonly typeUrl: TypeUrl;
  readonly nonce: string;
  /** Generation of the table that the response was made from. */
  readonly generation: number;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** How many of `resources` the proxy held already, and had to get again because their cluster was updated. */
  readonly requiredResends: number;
  /** Size of the encoded response. */
  readonly bytes: number;
}

/** A response that the proxy refused. */
export interface Refusal {
  readonly delivery: Delivery;
  /** Names of the resources that the proxy's words point at; every resource of the response when they point at none. */
  readonly names: readonly string[];
  /** The proxy's words: at most 1,024 characters, control characters replaced. */
  readonly message: string;
}

/**
 * Hears what happens on the streams. Calls come from the main thread, in the order of events on each stream, and must
 * return quickly; an exception in one ends that stream.
 */
export interface DeliveryObserver {
  /** A stream was accepted; nothing has been sent on it yet. */
  connected(stream: StreamInfo): void;
  /** The stream is gone; no further calls about it. */
  disconnected(stream: StreamInfo): void;
  sent(stream: StreamInfo, delivery: Delivery): void;
  acked(stream: StreamInfo, delivery: Delivery): void;
  nacked(stream: StreamInfo, refusal: Refusal): void;
  /** The proxy came with all that the table of this generation holds of a type for it: nothing was sent. */
  held(stream: StreamInfo, typeUrl: TypeUrl, generation: number): void;
  /**
   * The proxy has acknowledged all that the table of this generation holds for its subscriptions, but for what it
   * refused. Called once a generation, and only for generations that became a table.
   */
  settled(stream: StreamInfo, generation: number): void;
}
