import { envoy } from "../../proto/gen/discovery.js";
import { type Clock, metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { nextTurn } from "../../src/platform/mod.ts";
import { createDeliveryTracker, type DeliveryTracker } from "../../src/push/delivery-tracker.ts";
import { type Peer, type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../../src/xds/resource.ts";
import { openSessions } from "../../src/xds/sessions/sessions.ts";
import { xdsMetrics } from "../../src/xds/sessions/xds-metrics.ts";
import type { StreamHandler, StreamTransport } from "../../src/xds/transport.ts";
import type { Timing, TimingGroup } from "./timing.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const CLASSES = 100;
const SUBSCRIBED: readonly TypeUrl[] = [
  TYPE_URLS.cluster,
  TYPE_URLS.endpoints,
  TYPE_URLS.listener,
  TYPE_URLS.route,
  TYPE_URLS.secret,
];
const WILD: ReadonlySet<TypeUrl> = new Set([TYPE_URLS.cluster, TYPE_URLS.listener]);

/** Streams, the delivery tracker and the metrics behind them, over a transport that takes everything and does nothing. */
export const sessionTimings: TimingGroup = {
  name: "session",
  async make(): Promise<readonly Timing[]> {
    const streams = 5_000;
    const fleet = new SilentFleet({ streams, resources: 100 });
    await fleet.connect();
    return [
      {
        name: `endpoints of one of 100 services change for ${streams} streams, ACKs included`,
        calls: 30,
        run: async () => {
          await fleet.push();
          fleet.acknowledge(fleet.answers());
        },
      },
    ];
  },
};

/** Proxies without a network: what the server sends is kept for a moment, and answered when told. */
export class SilentFleet {
  readonly #streams: SilentStream[] = [];
  readonly #onChange = new Map<Peer, () => void>();
  readonly #names: ReadonlyMap<TypeUrl, ReadonlySet<string>>;
  readonly #resources = new Map<TypeUrl, Map<string, Resource>>();
  readonly #clock: Clock;
  readonly #tracker: DeliveryTracker;
  readonly #count: number;
  #tables: readonly ResourceTable[] = [];
  #generation = 0;
  #sent = 0;
  #whenSent: { readonly count: number; readonly resolve: () => void } | undefined;
  readonly #onSend = () => {
    if (++this.#sent === this.#whenSent?.count) this.#whenSent.resolve();
  };

  constructor(options: { readonly streams: number; readonly resources: number; readonly clock?: Clock }) {
    const { streams, resources, clock = systemClock() } = options;
    this.#count = streams;
    this.#clock = clock;
    this.#tracker = createDeliveryTracker({ clock, onReport: () => undefined });
    for (const typeUrl of SUBSCRIBED) {
      const count = typeUrl === TYPE_URLS.secret || typeUrl === TYPE_URLS.listener ? 2 : resources;
      const names = Array.from({ length: count }, (_, n) => `namespace-${n % 10}/service-${n}|8080`);
      this.#resources.set(typeUrl, new Map(names.map((name) => [name, resource(typeUrl, name, 0)])));
    }
    this.#names = new Map([...this.#resources].map(([typeUrl, byName]) => [typeUrl, new Set(byName.keys())]));
    this.#makeTables();
  }

  get size(): number {
    return this.#streams.length;
  }

  /** How many different buffers wait for an answer. */
  get buffers(): number {
    return new Set(this.#streams.flatMap((stream) => stream.inbox ?? [])).size;
  }

  /** Opens the streams and answers until nothing more is sent. */
  async connect(): Promise<void> {
    const sessions = openSessions({
      authenticate: ({ commonName }) => peerOf(Number(commonName)),
      tables: {
        subscribe: (peer, onChange) => {
          this.#onChange.set(peer, onChange);
          const position = Number(peer.pod) % CLASSES;
          return { current: () => this.#tables[position], close: () => void this.#onChange.delete(peer) };
        },
      },
      observe: this.#tracker,
      limits: LIMITS,
      metrics: xdsMetrics(metricsRegistry()),
      clock: this.#clock,
      log: silentLog(),
    });
    for (let n = 0; n < this.#count; n++) {
      const stream = new SilentStream(this.#onSend);
      const names = { commonName: String(n), dnsNames: [], uris: [] };
      const certificate = { ...names, serialNumber: String(n), notAfterMs: Number.POSITIVE_INFINITY };
      stream.handler = sessions.open("delta", certificate, stream);
      this.#streams.push(stream);
      for (const typeUrl of SUBSCRIBED) {
        const names = WILD.has(typeUrl) ? [] : [...(this.#names.get(typeUrl) ?? [])];
        const request = { typeUrl, resourceNamesSubscribe: names, node: { id: String(n) } };
        stream.handler?.receive(Buffer.from(DeltaDiscoveryRequest.encode(request).finish()));
      }
    }
    this.acknowledge(this.answers());
    // What so many ask for at once is answered within a share of each turn.
    while (this.#sent < this.#count * SUBSCRIBED.length) {
      await nextTurn();
      this.acknowledge(this.answers());
    }
  }

  /** Changes the endpoints of one service; resolves once every stream was sent them. */
  push(): Promise<void> {
    const name = "namespace-0/service-0|8080";
    this.#resources.get(TYPE_URLS.endpoints)?.set(name, resource(TYPE_URLS.endpoints, name, this.#generation));
    const peers = [...this.#onChange.keys()];
    this.#makeTables();
    const following = this.#tracker.pushed({ generation: this.#generation, changes: [], publishedAt: 0 });
    for (const peer of peers) following.told(peer);
    following.toldAll();
    this.#sent = 0;
    return new Promise((resolve) => {
      this.#whenSent = { count: this.#count, resolve };
      for (const onChange of this.#onChange.values()) onChange();
    });
  }

  /** For each stream, the ACKs of what it was sent. */
  answers(): readonly (readonly Buffer[])[] {
    return this.#streams.map((stream) => {
      const acks = stream.inbox?.map(ackOf) ?? [];
      stream.inbox = undefined;
      return acks;
    });
  }

  acknowledge(answers: readonly (readonly Buffer[])[]): void {
    for (const [position, acks] of answers.entries()) {
      for (const ack of acks) this.#streams[position]?.handler?.receive(ack);
    }
  }

  #makeTables(): void {
    const generation = ++this.#generation;
    const resources = new Map([...this.#resources].map(([typeUrl, byName]) => [typeUrl, new Map(byName)]));
    const changed = ["namespace-0/service-0|8080"];
    this.#tables = Array.from({ length: CLASSES }, () => ({
      generation,
      get: (typeUrl: TypeUrl, name: string) => resources.get(typeUrl)?.get(name),
      names: (typeUrl: TypeUrl) => this.#names.get(typeUrl) ?? new Set<string>(),
      changesSince: (_: ResourceTable, typeUrl: TypeUrl) => (typeUrl === TYPE_URLS.endpoints ? changed : []),
    }));
  }
}

class SilentStream implements StreamTransport {
  handler: StreamHandler | undefined;
  inbox: Buffer[] | undefined;
  isProven = false;
  readonly #onSend: () => void;

  constructor(onSend: () => void) {
    this.#onSend = onSend;
  }

  send(prefixed: Buffer): boolean {
    if (this.inbox === undefined) this.inbox = [prefixed];
    else this.inbox.push(prefixed);
    this.#onSend();
    return true;
  }

  proven(): void {
    this.isProven = true;
  }

  end(code: string, message: string): void {
    throw new Error(`the server ended a stream: ${code} ${message}`);
  }
}

/** ACKs of buffers that many streams were given. */
const acks = new WeakMap<Buffer, Buffer>();

function ackOf(prefixed: Buffer): Buffer {
  let ack = acks.get(prefixed);
  if (ack === undefined) {
    const { typeUrl, nonce } = DeltaDiscoveryResponse.decode(prefixed.subarray(5));
    ack = Buffer.from(DeltaDiscoveryRequest.encode({ typeUrl, responseNonce: nonce }).finish());
    acks.set(prefixed, ack);
  }
  return ack;
}

const LIMITS = {
  namesMax: 20_000,
  nameCharsMax: 1024,
  typesMax: 16,
  waitingMax: 64,
  responseBytesMax: 3_500_000,
  streamsMax: 20_000,
  streamsPerPeerMax: 4,
  firstRequestMs: 10_000,
  quietMs: 100,
};

function peerOf(n: number): Peer {
  const uuid = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  return { uuid, namespace: `namespace-${n % 10}`, pod: String(n), serviceAccount: `account-${n % CLASSES}` };
}

function resource(typeUrl: TypeUrl, name: string, change: number): Resource {
  return { typeUrl, name, version: `${change}-0123456789abcdef`, bytes: new Uint8Array(400) };
}
