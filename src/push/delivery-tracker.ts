/**
 * What became of what was pushed: which proxy has which generation, and who still waits. It hears what the xDS server
 * reports to its observer, and keeps nothing about proxies that are gone.
 */
import { type Clock, Slots } from "../lib/mod.ts";
import { type Peer, type Resource, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import type { Push, PushFollowing } from "./pass.ts";
import { createPushFollower, type PushReport } from "./push-follower.ts";
import { TypeGenerations } from "./type-generations.ts";

/** A stream, as the xDS server names it: the same object in every call about it. */
export interface TrackedStream {
  /** A small number that no other open stream has. */
  readonly slot: number;
  readonly peer: Peer;
  readonly protocol: "delta" | "sotw";
  isSubscribed(typeUrl: TypeUrl, name: string): boolean;
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
  isSubscribed(typeUrl: TypeUrl, name: string): boolean;
  /** Version of the secret that the proxy acknowledged last; undefined before the first. */
  secretVersion(name: string): string | undefined;
  readonly types: ReadonlyMap<TypeUrl, TypeDelivery>;
}

export interface DeliveryTracker {
  connected(stream: TrackedStream): void;
  disconnected(stream: TrackedStream): void;
  sent(stream: TrackedStream, delivery: TrackedDelivery): void;
  acked(stream: TrackedStream, delivery: TrackedDelivery): void;
  nacked(stream: TrackedStream, refusal: TrackedRefusal): void;
  /** The proxy came with what it would be sent. */
  held(stream: TrackedStream, typeUrl: TypeUrl, generation: number): void;
  settled(stream: TrackedStream, generation: number): void;
  /** Starts to follow a change; to be called before streams hear of it. */
  pushed(push: Push): PushFollowing;
  /** One for each open stream: the same object for as long as that is open. */
  streams(): readonly StreamDelivery[];
  /**
   * Resolves once `isDone` holds for every open stream, with how many there are. A stream that ends counts no more.
   * Rejects when `timeoutMs` have passed, naming a proxy that it waited for.
   */
  whenAll(isDone: (stream: StreamDelivery) => boolean, timeoutMs: number): Promise<number>;
}

/** Creates a {@link DeliveryTracker}. `onReport` is called once for every change. */
export function createDeliveryTracker(options: {
  readonly clock: Clock;
  readonly onReport: (report: PushReport) => void;
}): DeliveryTracker {
  const { clock } = options;
  const states = new Map<TrackedStream, TrackedState>();
  const generations = new TypeGenerations();
  /** Streams with a refusal to show: nearly always none, so that an acknowledgement has nothing to look for. */
  const refusing = new Set<TrackedStream>();
  /** Proxies with open streams: nearly always one each. */
  const open = new Map<string, { readonly number: number; streams: number }>();
  const numbers = new Slots();
  /** The number of each stream's proxy, by the stream's slot. */
  const proxies: number[] = [];
  const follower = createPushFollower(clock, options.onReport);
  const waiters = new Set<() => void>();

  const changed = () => {
    for (const check of waiters) check();
  };

  return {
    connected(stream) {
      states.set(stream, new TrackedState(stream, generations, clock.now()));
      generations.begin(stream.slot);
      const { uuid } = stream.peer;
      const proxy = open.get(uuid) ?? { number: numbers.take(), streams: 0 };
      proxy.streams += 1;
      open.set(uuid, proxy);
      proxies[stream.slot] = proxy.number;
    },
    disconnected(stream) {
      if (!states.delete(stream)) return;
      refusing.delete(stream);
      const { uuid } = stream.peer;
      const proxy = open.get(uuid);
      if (proxy !== undefined && --proxy.streams === 0) {
        open.delete(uuid);
        follower.gone(proxy.number);
        numbers.giveBack(proxy.number);
      }
      changed();
    },
    // What follows is called for each delivery: it looks nothing up by stream or by proxy.
    sent(stream, { typeUrl, generation, resources, bytes }) {
      const { slot } = stream;
      generations.sent(slot, typeUrl, generation);
      follower.sent(proxies[slot] ?? -1, stream.peer, generation, resources.length, bytes);
    },
    acked(stream, delivery) {
      const { typeUrl, generation } = delivery;
      generations.acknowledged(stream.slot, typeUrl, generation);
      if (typeUrl === TYPE_URLS.secret) states.get(stream)?.tookSecrets(delivery.resources);
      if (refusing.size > 0 && states.get(stream)?.forgetRefusal(typeUrl) === false) refusing.delete(stream);
      changed();
    },
    nacked(stream, { delivery, names, message }) {
      states.get(stream)?.nacked(delivery.typeUrl, { names, message, atMs: clock.now() });
      refusing.add(stream);
      changed();
    },
    held(stream, typeUrl, generation) {
      generations.sent(stream.slot, typeUrl, generation);
      generations.acknowledged(stream.slot, typeUrl, generation);
      changed();
    },
    settled: (stream, generation) => follower.settled(proxies[stream.slot] ?? -1, generation),
    pushed(push) {
      const { told, toldAll } = follower.pushed(push);
      return {
        told(peer) {
          const proxy = open.get(peer.uuid);
          if (proxy !== undefined) told(proxy.number, peer);
        },
        toldAll,
      };
    },
    streams: () => [...states.values()],
    whenAll: (isDone, timeoutMs) => whenAll(states, waiters, clock, isDone, timeoutMs),
  };
}

/** What is kept of one open stream beside its generations: next to nothing. The maps that readers are given are made for them. */
class TrackedState implements StreamDelivery {
  readonly connectedAtMs: number;
  readonly #stream: TrackedStream;
  readonly #generations: TypeGenerations;
  #refusals: Map<TypeUrl, NonNullable<TypeDelivery["refused"]>> | undefined;
  /** Name, version, name, version, … */
  #secrets: string[] = [];

  constructor(stream: TrackedStream, generations: TypeGenerations, connectedAtMs: number) {
    this.#stream = stream;
    this.#generations = generations;
    this.connectedAtMs = connectedAtMs;
  }

  get peer(): Peer {
    return this.#stream.peer;
  }

  get protocol(): "delta" | "sotw" {
    return this.#stream.protocol;
  }

  isSubscribed(typeUrl: TypeUrl, name: string): boolean {
    return this.#stream.isSubscribed(typeUrl, name);
  }

  secretVersion(name: string): string | undefined {
    for (let n = 0; n < this.#secrets.length; n += 2) if (this.#secrets[n] === name) return this.#secrets[n + 1];
    return undefined;
  }

  get types(): ReadonlyMap<TypeUrl, TypeDelivery> {
    const types = new Map<TypeUrl, TypeDelivery>();
    for (const [typeUrl, sent, acknowledged] of this.#generations.of(this.#stream.slot)) {
      const refused = this.#refusals?.get(typeUrl);
      const delivery = { sent, acknowledged };
      types.set(typeUrl, refused === undefined ? delivery : { ...delivery, refused });
    }
    return types;
  }

  tookSecrets(resources: readonly Resource[]): void {
    for (const { name, version } of resources) this.#tookSecret(name, version);
  }

  #tookSecret(name: string, version: string): void {
    for (let n = 0; n < this.#secrets.length; n += 2) {
      if (this.#secrets[n] !== name) continue;
      this.#secrets[n + 1] = version;
      return;
    }
    // Not pushed: an array that grows keeps room for more.
    this.#secrets = this.#secrets.concat(name, version);
  }

  /** Whether there is another one. */
  forgetRefusal(typeUrl: TypeUrl): boolean {
    this.#refusals?.delete(typeUrl);
    return (this.#refusals?.size ?? 0) > 0;
  }

  nacked(typeUrl: TypeUrl, refused: NonNullable<TypeDelivery["refused"]>): void {
    this.#refusals ??= new Map();
    this.#refusals.set(typeUrl, refused);
  }
}

/**
 * Whoever lacks something is looked at until it does not: each event costs a look at one stream, so that waiting for
 * thousands of ACKs does not take their square.
 */
function whenAll(
  states: ReadonlyMap<TrackedStream, StreamDelivery>,
  waiters: Set<() => void>,
  clock: Clock,
  isDone: (stream: StreamDelivery) => boolean,
  timeoutMs: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const lacking: TrackedStream[] = [];
    /** One that is open and not done; undefined when all are done. */
    const someLacking = (): StreamDelivery | undefined => {
      for (let isSecondLook = false; ; isSecondLook = true) {
        for (let stream = lacking.at(-1); stream !== undefined; stream = lacking.at(-1)) {
          const state = states.get(stream);
          if (state !== undefined && !isDone(state)) return state;
          lacking.pop();
        }
        if (isSecondLook) return undefined;
        // Streams may have come, and what was done may be so no more.
        for (const [stream, state] of states) if (!isDone(state)) lacking.push(stream);
        // Who came first is served first, as a rule: each is met soon after it is done, and not all of them after the last.
        lacking.reverse();
      }
    };
    const end = () => {
      waiters.delete(check);
      cancel();
    };
    const check = () => {
      if (someLacking() !== undefined) return;
      end();
      resolve(states.size);
    };
    const cancel = clock.after(timeoutMs, () => {
      end();
      const peer = someLacking()?.peer;
      reject(
        new Error(`No acknowledgement within ${timeoutMs} ms from the proxy of pod ${peer?.namespace}/${peer?.pod}`),
      );
    });
    waiters.add(check);
    check();
  });
}
