/**
 * What became of what was pushed: which proxy has which generation, and who still waits. It hears what the xDS server
 * reports to its observer, and keeps nothing about proxies that are gone.
 */
import type { Clock } from "../lib/mod.ts";
import { type Peer, type Resource, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import type { Push } from "./engine.ts";
import { createPushFollower, type PushReport } from "./push-follower.ts";

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

interface StreamState extends StreamDelivery {
  readonly secretVersions: Map<string, string>;
  readonly types: Map<TypeUrl, TypeDelivery>;
}

/** Creates a {@link DeliveryTracker}. `onReport` is called once for every change. */
export function createDeliveryTracker(options: {
  readonly clock: Clock;
  readonly onReport: (report: PushReport) => void;
}): DeliveryTracker {
  const { clock } = options;
  const states = new Map<TrackedStream, StreamState>();
  const follower = createPushFollower(clock, options.onReport);
  const waiters = new Set<() => void>();

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
      if (!hasAnother) follower.gone(uuid);
      changed();
    },
    sent(stream, delivery) {
      update(stream, delivery, (before) => ({ ...before, sent: delivery.generation }));
      const { generation, resources, bytes } = delivery;
      follower.sent(stream.peer, { generation, resources: resources.length, bytes });
    },
    acked(stream, delivery) {
      update(stream, delivery, ({ sent }) => ({ sent, acknowledged: delivery.generation }));
      if (delivery.typeUrl === TYPE_URLS.secret) {
        for (const { name, version } of delivery.resources) states.get(stream)?.secretVersions.set(name, version);
      }
      changed();
    },
    nacked(stream, { delivery, names, message }) {
      update(stream, delivery, (before) => ({ ...before, refused: { names, message, atMs: clock.now() } }));
      changed();
    },
    settled: (stream, generation) => follower.settled(stream.peer.uuid, generation),
    pushed: (push) => follower.pushed(push),
    streams: () => [...states.values()],
    whenAll: (isDone, timeoutMs) => whenAll(states, waiters, clock, isDone, timeoutMs),
  };
}

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
