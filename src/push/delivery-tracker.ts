/**
 * What became of what was pushed: which proxy has which generation, when the last one acknowledged a change, and who
 * still waits. It hears what the xDS server reports to its observer, and keeps nothing about proxies that are gone.
 */
import type { Clock } from "../lib/mod.ts";
import type { ChangeSet } from "../mesh/mod.ts";
import type { Peer, Resource, TypeUrl } from "../xds/resource.ts";
import type { Push } from "./engine.ts";

/** A stream, as the xDS server names it: the same object in every call about it. */
export interface TrackedStream {
  readonly peer: Peer;
  readonly protocol: "delta" | "sotw";
  readonly isSubscribed: (typeUrl: TypeUrl, name: string) => boolean;
}
/** A response, as far as tracking needs it. */
export interface TrackedDelivery {
  readonly typeUrl: TypeUrl;
  readonly generation: number;
  readonly resources: readonly Resource[];
  readonly bytes: number;
}
export interface TrackedRefusal {
  readonly delivery: TrackedDelivery;
  readonly names: readonly string[];
  readonly message: string;
}

/** Of one type on one stream; generations of the snapshot. */
export interface TypeDelivery {
  readonly sent: number;
  readonly acknowledged: number;
  /** The last refusal, until a later response of the type is acknowledged. */
  readonly refused?: { readonly names: readonly string[]; readonly message: string; readonly atMs: number };
}
export interface StreamDelivery {
  readonly peer: Peer;
  readonly protocol: "delta" | "sotw";
  readonly connectedAtMs: number;
  /** Whether the proxy asks for this resource just now. */
  readonly isSubscribed: (typeUrl: TypeUrl, name: string) => boolean;
  /** Version that the proxy acknowledged last, by secret name. */
  readonly secretVersions: ReadonlyMap<string, string>;
  readonly types: ReadonlyMap<TypeUrl, TypeDelivery>;
}

/** What became of one change. */
export interface PushReport {
  readonly generation: number;
  readonly changes: readonly ChangeSet[];
  /** Proxies that were sent something. */
  readonly proxies: readonly Peer[];
  readonly responses: number;
  readonly resources: number;
  readonly bytes: number;
  /** From the change until the last proxy acknowledged it. */
  readonly ms: number;
  /** Proxies that had not acknowledged it when it was given up for newer changes. */
  readonly waiting: readonly Peer[];
}

export interface DeliveryTracker {
  connected(stream: TrackedStream): void;
  disconnected(stream: TrackedStream): void;
  sent(stream: TrackedStream, delivery: TrackedDelivery): void;
  acked(stream: TrackedStream, delivery: TrackedDelivery): void;
  nacked(stream: TrackedStream, refusal: TrackedRefusal): void;
  settled(stream: TrackedStream, generation: number): void;
  /** Starts to follow a change; to be called before streams hear of it. */
  pushed(push: Push): void;
  /** One for each open stream. */
  streams(): readonly StreamDelivery[];
  /**
   * Resolves once `isDone` holds for every open stream, with how many there are. A stream that ends counts no more.
   * Rejects when `timeoutMs` have passed, naming a proxy that it waited for.
   */
  whenAll(isDone: (stream: StreamDelivery) => boolean, timeoutMs: number): Promise<number>;
}

/** Changes that are followed at once. More means that some proxy does not answer; the oldest is reported as it stands. */
const FOLLOWED_MAX = 64;

interface StreamState extends StreamDelivery {
  readonly secretVersions: Map<string, string>;
  readonly types: Map<TypeUrl, TypeDelivery>;
}

interface Followed {
  readonly push: Push;
  readonly waiting: Set<string>;
  readonly touched: Map<string, Peer>;
  responses: number;
  resources: number;
  bytes: number;
}

/** Creates a {@link DeliveryTracker}. `onReport` is called once for every change. */
export function createDeliveryTracker(options: {
  readonly clock: Clock;
  readonly onReport: (report: PushReport) => void;
}): DeliveryTracker {
  const { clock } = options;
  const states = new Map<TrackedStream, StreamState>();
  const followed: Followed[] = [];
  const waiters = new Set<() => void>();

  const report = (entry: Followed) => {
    followed.splice(followed.indexOf(entry), 1);
    options.onReport(reportOf(entry, clock.monotonic()));
  };
  const stopWaiting = (uuid: string, generation: number) => {
    for (const entry of [...followed]) {
      if (entry.push.generation > generation || !entry.waiting.delete(uuid)) continue;
      if (entry.waiting.size === 0) report(entry);
    }
  };
  const changed = () => {
    for (const check of [...waiters]) check();
  };
  const update = (stream: TrackedStream, delivery: TrackedDelivery, next: (before: TypeDelivery) => TypeDelivery) => {
    const types = states.get(stream)?.types;
    types?.set(delivery.typeUrl, next(types.get(delivery.typeUrl) ?? { sent: 0, acknowledged: 0 }));
  };

  return {
    connected(stream) {
      const { peer, protocol, isSubscribed } = stream;
      const connectedAtMs = clock.now();
      states.set(stream, {
        peer,
        protocol,
        isSubscribed,
        connectedAtMs,
        secretVersions: new Map(),
        types: new Map(),
      });
    },
    disconnected(stream) {
      states.delete(stream);
      const { uuid } = stream.peer;
      const hasAnother = [...states.values()].some(({ peer }) => peer.uuid === uuid);
      if (!hasAnother) stopWaiting(uuid, Number.POSITIVE_INFINITY);
      changed();
    },
    sent(stream, delivery) {
      update(stream, delivery, (before) => ({ ...before, sent: delivery.generation }));
      // The newest change that the response can be the consequence of.
      const entry = followed.findLast(
        ({ push, waiting }) => push.generation <= delivery.generation && waiting.has(stream.peer.uuid),
      );
      if (entry === undefined) return;
      entry.touched.set(stream.peer.uuid, stream.peer);
      entry.responses += 1;
      entry.resources += delivery.resources.length;
      entry.bytes += delivery.bytes;
    },
    acked(stream, delivery) {
      update(stream, delivery, ({ sent }) => ({ sent, acknowledged: delivery.generation }));
      if (SECRET_TYPE.test(delivery.typeUrl)) {
        for (const { name, version } of delivery.resources) states.get(stream)?.secretVersions.set(name, version);
      }
      changed();
    },
    nacked(stream, { delivery, names, message }) {
      update(stream, delivery, (before) => ({ ...before, refused: { names, message, atMs: clock.now() } }));
      changed();
    },
    settled: (stream, generation) => stopWaiting(stream.peer.uuid, generation),
    pushed(push) {
      const waiting = new Set(push.peers.map(({ uuid }) => uuid));
      const entry = { push, waiting, touched: new Map(), responses: 0, resources: 0, bytes: 0 };
      followed.push(entry);
      if (waiting.size === 0) report(entry);
      else if (followed.length > FOLLOWED_MAX && followed[0]) report(followed[0]);
    },
    streams: () => [...states.values()],
    whenAll: (isDone, timeoutMs) => whenAll(states, waiters, clock, isDone, timeoutMs),
  };
}

const SECRET_TYPE = /\.Secret$/;

function whenAll(
  states: ReadonlyMap<TrackedStream, StreamDelivery>,
  waiters: Set<() => void>,
  clock: Clock,
  isDone: (stream: StreamDelivery) => boolean,
  timeoutMs: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const lacking = () => [...states.values()].find((state) => !isDone(state));
    const end = () => {
      waiters.delete(check);
      cancel();
    };
    const check = () => {
      if (lacking() !== undefined) return;
      end();
      resolve(states.size);
    };
    const cancel = clock.after(timeoutMs, () => {
      end();
      const peer = lacking()?.peer;
      reject(
        new Error(`No acknowledgement within ${timeoutMs} ms from the proxy of pod ${peer?.namespace}/${peer?.pod}`),
      );
    });
    waiters.add(check);
    check();
  });
}

function reportOf({ push, touched, waiting, responses, resources, bytes }: Followed, now: number): PushReport {
  return {
    generation: push.generation,
    changes: push.changes,
    proxies: [...touched.values()],
    responses,
    resources,
    bytes,
    ms: now - push.publishedAt,
    waiting: push.peers.filter(({ uuid }) => waiting.has(uuid)),
  };
}
