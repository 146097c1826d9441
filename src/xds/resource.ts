/** xDS resource types that this server speaks, by their type URLs (Envoy API v3). */
export const TYPE_URLS = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;

export type TypeUrl = (typeof TYPE_URLS)[keyof typeof TYPE_URLS];

/** One encoded resource. The protocol moves it without looking inside. */
export interface Resource {
  readonly typeUrl: TypeUrl;
  readonly name: string;
  /** Hash of `bytes`; for a leaf certificate: issuer, serial and expiry. */
  readonly version: string;
  /** The encoded message that goes into `Any.value`. */
  readonly bytes: Uint8Array;
}

/** Names of one type; never changed once a table has given it away. A `Set` is one. */
export interface NameSet extends Iterable<string> {
  readonly size: number;
  has(name: string): boolean;
}

/** The desired state of one proxy at one generation. Immutable. */
export interface ResourceTable {
  /** Generation of the snapshot; sent as `system_version_info`. */
  readonly generation: number;
  readonly get: (typeUrl: TypeUrl, name: string) => Resource | undefined;
  /**
   * Those for which `get` has a resource, no others. Best the same object in all tables with these names of the type: streams
   * share it then.
   */
  readonly names: (typeUrl: TypeUrl) => NameSet;
  /**
   * Names of the type that stand for other content here than in `previous`, or in one of the two only, where the maker of
   * both tables can tell them faster than by comparing all names; else undefined.
   */
  readonly changesSince?: (previous: ResourceTable, typeUrl: TypeUrl) => readonly string[] | undefined;
  /**
   * Whether a client that says it holds this version, which is not the table's own, may keep it: a leaf certificate that
   * another replica issued, or this one before it was restarted. Absent: no other version is as good. It is asked again
   * on the next table unless that has the same function.
   */
  readonly isAsGood?: (typeUrl: TypeUrl, name: string, version: string) => boolean;
  /**
   * Whether a resource that the table does not hold is being made because of this question, so that the client must not
   * be told that there is none; a table with it follows. Absent: nothing is.
   */
  readonly isAwaited?: (typeUrl: TypeUrl, name: string) => boolean;
}

/** The proxy at the other end of a stream, as its verified credential names it. */
export interface Peer {
  /** Label `osm-proxy-uuid` of its pod. */
  readonly uuid: string;
  readonly namespace: string;
  readonly pod: string;
  readonly serviceAccount: string;
}

/** Where a stream gets its desired state from. */
export interface TableSource {
  /**
   * Follows the table of one proxy until closed. `onChange` is called after a table other than `current()` has been made;
   * several changes may be reported as one.
   */
  subscribe(peer: Peer, onChange: () => void): TableSubscription;
}
export interface TableSubscription {
  /** Undefined until the first table is complete. */
  current(): ResourceTable | undefined;
  close(): void;
}
