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
  sent(peer: Peer, generation: number, resources: number, bytes: number): void;
  /** The proxy has all that changed up to `generation`. */
  settled(uuid: string, generation: number): void;
  /** The proxy is not connected any more. */
  gone(uuid: string): void;
}

/** Changes that are followed at once. More means that some proxy does not answer; the oldest is reported as it stands. */
const FOLLOWED_MAX = 64;

interface Followed {
  readonly push: Push;
  /** By proxy, whether it was sent something. */
  readonly waiting: Map<string, boolean>;
  readonly touched: Peer[];
  responses: number;
  resources: number;
  bytes: number;
}

/** Creates a {@link PushFollower}. `onReport` is called once for every change. */
export function createPushFollower(clock: Clock, onReport: (report: PushReport) => void): PushFollower {
  const followed: Followed[] = [];
  const report = (position: number) => {
    const [entry] = followed.splice(position, 1);
    if (entry !== undefined) onReport(reportOf(entry, clock.monotonic()));
  };
  // Plain loops here and below: they run for each proxy that a change concerns.
  const settled = (uuid: string, generation: number) => {
    for (let position = 0; position < followed.length; ) {
      const entry = followed[position];
      const isDone =
        entry !== undefined &&
        entry.push.generation <= generation &&
        entry.waiting.delete(uuid) &&
        entry.waiting.size === 0;
      if (isDone) report(position);
      else position += 1;
    }
  };
  return {
    pushed(push) {
      const waiting = new Map<string, boolean>();
      for (let n = 0; n < push.peers.length; n++) waiting.set((push.peers[n] as Peer).uuid, false);
      followed.push({ push, waiting, touched: [], responses: 0, resources: 0, bytes: 0 });
      if (waiting.size === 0) report(followed.length - 1);
      else if (followed.length > FOLLOWED_MAX) report(0);
    },
    sent(peer, generation, resources, bytes) {
      // The newest change that the response can be the consequence of.
      for (let position = followed.length - 1; position >= 0; position -= 1) {
        const entry = followed[position];
        if (entry === undefined || entry.push.generation > generation) continue;
        const isTouched = entry.waiting.get(peer.uuid);
        if (isTouched === undefined) continue;
        if (!isTouched) {
          entry.waiting.set(peer.uuid, true);
          entry.touched.push(peer);
        }
        entry.responses += 1;
        entry.resources += resources;
        entry.bytes += bytes;
        return;
      }
    },
    settled,
    gone: (uuid) => settled(uuid, Number.POSITIVE_INFINITY),
  };
}

function reportOf({ push, touched, waiting, responses, resources, bytes }: Followed, now: number): PushReport {
  return {
    generation: push.generation,
    changes: push.changes,
    proxies: touched,
    responses,
    resources,
    bytes,
    ms: now - push.publishedAt,
    waiting: push.peers.filter(({ uuid }) => waiting.has(uuid)),
  };
}
