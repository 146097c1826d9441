/** What became of each change: who was sent what, and when the last proxy had acknowledged it. */
import type { Clock } from "../lib/mod.ts";
import type { ChangeSet } from "../mesh/mod.ts";
import type { Peer } from "../xds/resource.ts";
import type { Push } from "./engine.ts";

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

/** Follows changes until every proxy that they concern has acknowledged them. */
export interface PushFollower {
  /** To be called before streams hear of the change. */
  pushed(push: Push): void;
  sent(peer: Peer, response: { readonly generation: number; readonly resources: number; readonly bytes: number }): void;
  /** The proxy has all that changed up to `generation`. */
  settled(uuid: string, generation: number): void;
  /** The proxy is not connected any more. */
  gone(uuid: string): void;
}

/** Changes that are followed at once. More means that some proxy does not answer; the oldest is reported as it stands. */
const FOLLOWED_MAX = 64;

interface Followed {
  readonly push: Push;
  readonly waiting: Set<string>;
  readonly touched: Map<string, Peer>;
  responses: number;
  resources: number;
  bytes: number;
}

/** Creates a {@link PushFollower}. `onReport` is called once for every change. */
export function createPushFollower(clock: Clock, onReport: (report: PushReport) => void): PushFollower {
  const followed: Followed[] = [];
  const report = (entry: Followed) => {
    followed.splice(followed.indexOf(entry), 1);
    onReport(reportOf(entry, clock.monotonic()));
  };
  const settled = (uuid: string, generation: number) => {
    for (const entry of [...followed]) {
      if (entry.push.generation > generation || !entry.waiting.delete(uuid)) continue;
      if (entry.waiting.size === 0) report(entry);
    }
  };
  return {
    pushed(push) {
      const waiting = new Set(push.peers.map(({ uuid }) => uuid));
      const entry = { push, waiting, touched: new Map(), responses: 0, resources: 0, bytes: 0 };
      followed.push(entry);
      if (waiting.size === 0) report(entry);
      else if (followed.length > FOLLOWED_MAX && followed[0]) report(followed[0]);
    },
    sent(peer, { generation, resources, bytes }) {
      // The newest change that the response can be the consequence of.
      const entry = followed.findLast(({ push, waiting }) => push.generation <= generation && waiting.has(peer.uuid));
      if (entry === undefined) return;
      entry.touched.set(peer.uuid, peer);
      entry.responses += 1;
      entry.resources += resources;
      entry.bytes += bytes;
    },
    settled,
    gone: (uuid) => settled(uuid, Number.POSITIVE_INFINITY),
  };
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
