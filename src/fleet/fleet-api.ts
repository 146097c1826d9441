/** What the fleet's engine is told and what it tells: plain data, so that it crosses processes as it is. */

/** The server under test. */
export interface Target {
  /** `HOST:PORT` (IPv6 in brackets) or `unix:PATH`. */
  readonly address: string;
  /**
   * Further replicas of the same server. A proxy that is told to open begins at one by its id, and goes on to the next
   * whenever its connection ends by itself: as behind a load balancer.
   */
  readonly alternatives?: readonly string[];
  /** Absent: plain text. */
  readonly tls?: {
    readonly rootsPem: string;
    /** The name that the server's certificate has to carry; the host of `address` when absent. */
    readonly serverName?: string;
  };
}

/** How a proxy departs from what a good Envoy does. Clauses that say nothing of it leave it a good one. */
export type Behaviour =
  | { readonly kind: "normal" }
  /** Takes every response and answers none. */
  | { readonly kind: "never-ack" }
  /** Reads so much of its socket and lets the rest lie there; 0 reads nothing at all. */
  | { readonly kind: "slow-reader"; readonly bytesPerSecond: number }
  /** Refuses this share (0 to 1) of the responses and keeps what it had. */
  | { readonly kind: "nack"; readonly share: number }
  /**
   * Neither reads nor writes from `afterMs` after its stream was opened (at once when it is open already), but keeps its
   * socket: as a machine that lost its power looks to the server. Counts as gone, is not opened again.
   */
  | { readonly kind: "vanish"; readonly afterMs: number };

export interface ProxySpec {
  /** 0 to n - 1; every id once. */
  readonly id: number;
  readonly nodeId: string;
  readonly cluster?: string;
  /** JSON that becomes the node's metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The client certificate, with its chain; none is shown when it or the key is absent. */
  readonly certificatePem?: string;
  readonly privateKeyPem?: string;
  readonly protocol: "delta" | "sotw";
  readonly behaviour: Behaviour;
  /** On delta streams: asks for the endpoints of each new cluster in a request of its own, not for all in one. */
  readonly endpointsOneByOne?: boolean;
}

/** How fast and how long. */
export interface OpenOptions {
  /** Connections opened a second, over all processes; as fast as handshakes are done when absent. */
  readonly perSecond?: number;
  /** All when absent. */
  readonly ids?: readonly number[];
  /** The wait ends then with what is `missing`; 120 s when absent. */
  readonly timeoutMs?: number;
}

/** How the proxies came to have all that they asked for. */
export interface Opened {
  /** From the beginning to the first and the last proxy that has all; NaN when there is none. */
  readonly firstMs: number;
  readonly allMs: number;
  /** By position in `proxies`: ms from the beginning. */
  readonly perProxyMs: Float64Array;
  readonly proxies: Uint32Array;
  /** Proxies that did not get there in time. */
  readonly missing: readonly number[];
  /** What the proxies of the whole fleet received meanwhile. */
  readonly responses: number;
  readonly resources: number;
  /** Resources that were sent although the proxy had their very bytes. */
  readonly repeated: number;
  /** Of gRPC messages. */
  readonly bytes: number;
  /** Handshakes, and those of them that went on with an earlier session. */
  readonly handshakes: number;
  readonly resumed: number;
}

export interface WarmOptions extends OpenOptions {
  /** Those that have all now are waited for as well: until they have lost their connection and have all again. */
  readonly again?: boolean;
}

export type ColdStart = Opened;
export type Reopened = Opened;

export interface ReopenOptions extends OpenOptions {
  /** As new processes: without what they had. */
  readonly forget?: boolean;
  /** Leaves the old connections half open instead of closing them: the server sees no FIN. They end with the fleet, at the latest. */
  readonly withoutFin?: boolean;
  /** Ends the old connections with RST instead of FIN. */
  readonly reset?: boolean;
  /** Does not continue the TLS session of the connection before. */
  readonly withoutResumption?: boolean;
}

/** What to look out for. A proxy has seen the change when a response brings it a resource that fits. */
export interface Watch {
  /** Grows with each change. */
  readonly changeId: number;
  readonly typeUrl: string;
  readonly name: string;
  /** UTF-8 that the bytes of the resource contain. */
  readonly contains: string;
  /** Turned round: the change was seen when the resource comes without these bytes, or is removed. */
  readonly absent?: boolean;
  /** Who has to see it; all when absent. */
  readonly proxies?: readonly number[];
}

/**
 * Who saw a change when. A proxy that saw a later change of the same resource first has seen this one with it.
 * Times are CLOCK_MONOTONIC (`process.hrtime.bigint()`), the same in all processes of a machine.
 */
export interface Seen {
  readonly proxies: Uint32Array;
  /** When the last byte of the response had been read. */
  readonly arrivedNs: BigInt64Array;
  /** When the ACK had been given to the socket; 0 when it was not in time, or never is. */
  readonly acknowledgedNs: BigInt64Array;
  readonly missing: readonly number[];
}

/** Counts of one resource type. */
export interface TypeCounts {
  readonly responses: number;
  readonly resources: number;
  readonly repeated: number;
  readonly removed: number;
  readonly bytes: number;
}

/** All proxies together, since the fleet was started. */
export interface FleetCounts extends TypeCounts {
  readonly acks: number;
  readonly nacks: number;
  /** Endpoints that came again unchanged, as Envoy needs them after their cluster changed. Not `repeated`. */
  readonly requiredEndpoints: number;
  /** Resources, and responses without any, of types and names that the proxy had not asked for. */
  readonly unrequested: number;
  /** Removals of what the proxy did not have. */
  readonly removedUnknown: number;
  /** Clusters that named themselves in a listener or a route before they were sent. */
  readonly routesBeforeClusters: number;
  readonly listenersBeforeClusters: number;
  /** Changed clusters whose endpoints or secrets did not come within Envoy's 15 s. */
  readonly warmingTimeouts: number;
  readonly handshakes: number;
  readonly resumed: number;
  readonly streams: number;
  /** Streams that are open now, and proxies that have all that they asked for. */
  readonly open: number;
  readonly warm: number;
  /** `connect-refused`, `tls`, `reset`, `closed`, `protocol`, `timeout`, `grpc-status-N`, `http-status-N`, ... */
  readonly errors: Readonly<Record<string, number>>;
  /** One example of the words of each kind of error. */
  readonly errorExamples: Readonly<Record<string, string>>;
  /** By type URL. */
  readonly types: Readonly<Record<string, TypeCounts>>;
}

/** What a proxy has of one type. */
export interface TypeDigest {
  /** Equal for equal names and contents. */
  readonly digest: string;
  /** Hash of the content, by name. */
  readonly names: ReadonlyMap<string, string>;
}

/** What a proxy has, by type URL. Proxies of one process share equal digests by reference. */
export interface ProxyTable {
  readonly id: number;
  readonly types: Readonly<Record<string, TypeDigest>>;
}

/** Of one process of the fleet, since the last time it was asked. CPU since its start. */
export interface ProcessUsage {
  readonly pid: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly loopDelayP999Ms: number;
  readonly loopDelayMaxMs: number;
}

/** Simulated Envoys. */
export interface Fleet {
  /** Opens the streams; resolves when every proxy has all that it asked for, or at the time limit. */
  connect(options?: OpenOptions): Promise<ColdStart>;
  /** The same for streams that open by themselves: after a lost connection, as Envoy does with back-off. */
  warm(options?: WarmOptions): Promise<Opened>;
  /**
   * Closes and opens again; resolves when every stream had its answers. Of a type that a proxy claims rightly a delta
   * server need not say anything: such a proxy has its answers when it has what else it asked for, and the first one.
   */
  reopen(options?: ReopenOptions): Promise<Reopened>;
  /** Closes streams and does not open them again before `connect`. */
  disconnect(ids?: readonly number[]): Promise<void>;
  /** To be awaited before the change is made. */
  watch(watch: Watch): Promise<void>;
  /** Resolves when all have acknowledged, or after `timeoutMs`. The watch is over then. */
  collect(changeId: number, timeoutMs: number): Promise<Seen>;
  setBehaviour(ids: readonly number[], behaviour: Behaviour): Promise<void>;
  /** Ids of the proxies whose streams are open, in ascending order, for each address of the target. */
  places(): Promise<readonly (readonly number[])[]>;
  counts(): Promise<FleetCounts>;
  tables(): Promise<readonly ProxyTable[]>;
  /** The bytes of a resource as the proxy has it. */
  resource(proxyId: number, typeUrl: string, name: string): Promise<Uint8Array | undefined>;
  usage(): Promise<readonly ProcessUsage[]>;
  stop(): Promise<void>;
}
