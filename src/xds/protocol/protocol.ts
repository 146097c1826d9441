import type { Resource, ResourceTable } from "../resource.ts";

/** Names with the versions that a client says it holds of them. A `Map` is one. */
export interface Claims {
  readonly size: number;
  get(name: string): string | undefined;
  keys(): Iterable<string>;
  forEach(action: (version: string, name: string) => void): void;
}

/** Names in the order in which a request says them. An array is one. */
export interface SaidNames extends Iterable<string> {
  readonly length: number;
  includes(name: string): boolean;
}

/** A `DeltaDiscoveryRequest`, as far as the protocol looks at it. */
export interface DeltaRequest {
  readonly kind: "delta-request";
  readonly typeUrl: string;
  /** Empty when the message carries no node. */
  readonly nodeId: string;
  readonly nonce: string;
  readonly subscribe: SaidNames;
  readonly unsubscribe: readonly string[];
  readonly initialVersions: Claims;
  /** What the client says about a response that it refused. */
  readonly error: string | undefined;
}

/** A state-of-the-world `DiscoveryRequest`, as far as the protocol looks at it. */
export interface SotwRequest {
  readonly kind: "sotw-request";
  readonly typeUrl: string;
  readonly nodeId: string;
  readonly nonce: string;
  readonly version: string;
  readonly names: readonly string[];
  readonly error: string | undefined;
}

export type StreamInput =
  | DeltaRequest
  | SotwRequest
  /** The proxy's desired state is now this one. */
  | { readonly kind: "table"; readonly table: ResourceTable }
  /**
   * A while has passed since the first request: a client that reconnects has named by now every type that it uses, and
   * a type that it has not named holds nothing back.
   */
  | { readonly kind: "quiet" };

/** What one response says, described by references: nothing is copied or encoded here. */
export interface ResponseContent {
  readonly typeUrl: string;
  /** `system_version_info` of a delta response, `version_info` of a state-of-the-world one. */
  readonly version: string;
  readonly generation: number;
  readonly resources: readonly Resource[];
  /** Always empty in a state-of-the-world response. */
  readonly removed: readonly string[];
  /** How many resources the client held already and gets again because their cluster was updated. */
  readonly requiredResends: number;
}

/** One response, the same object for every stream that gets the same. */
export interface Response extends ResponseContent {
  /** Its serial number as text. */
  readonly nonce: string;
  /** Among all responses of the server. Those of one type on one stream have ever greater ones. */
  readonly serial: number;
}

/** What the client said about a response, or about what it need not be sent. */
export type Verdict =
  | { readonly kind: "acked"; readonly response: Response }
  | {
      readonly kind: "nacked";
      readonly response: Response;
      /** The resources that the client's words point at; all changed ones of the response when they point at none. */
      readonly names: readonly string[];
      readonly message: string;
    }
  | {
      /** It claims rightly to hold all that the table of this generation has of a type for it: no response says so. */
      readonly kind: "held";
      readonly typeUrl: string;
      readonly generation: number;
    };

/** Why a stream has to end. `code` is the name of a gRPC status. */
export interface StreamEnd {
  readonly code: "PERMISSION_DENIED" | "INVALID_ARGUMENT" | "RESOURCE_EXHAUSTED";
  readonly message: string;
}

/** What one input leads to. */
export interface Step {
  /** To be sent in this order. */
  readonly responses: readonly Response[];
  readonly verdicts: readonly Verdict[];
  /** Set once for each generation of which the client has acknowledged everything, but for what it refused. */
  readonly settledGeneration: number | undefined;
  /** When set, nothing is sent any more and the stream must be closed. */
  readonly end: StreamEnd | undefined;
}

/** Bounds of one stream. */
export interface StreamLimits {
  /** Subscribed names of one type; also entries of `initial_resource_versions`. */
  readonly namesMax: number;
  readonly nameCharsMax: number;
  /** Resource types that one stream may ask for. */
  readonly typesMax: number;
  /** Requests kept while the first table is being made. */
  readonly waitingMax: number;
  /**
   * Aimed size of one delta response. More is split: the rest follows on the ACK. Many gRPC clients refuse messages of
   * more than 4 MiB; a single resource that is larger still goes out, alone.
   */
  readonly responseBytesMax: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  namesMax: 20_000,
  nameCharsMax: 1024,
  typesMax: 16,
  waitingMax: 64,
  responseBytesMax: 3_500_000,
};
