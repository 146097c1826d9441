/** What became of each change: who was sent what, and when the last proxy had acknowledged it. */
import type { Clock } from "../lib/mod.ts";
import type { ChangeSet } from "../mesh/mod.ts";
import type { Peer } from "../xds/resource.ts";
import type { Push } from "./pass.ts";

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

/** Follows changes until every proxy that they concern has acknowledged them. Proxies have numbers while they are connected. */
export interface PushFollower {
  /** To be called before streams hear of the change. */
  pushed(push: Push): FollowedPush;
  sent(number: number, peer: Peer, generation: number, resources: number, bytes: number): void;
  /** The proxy has all that changed up to `generation`. */
  settled(number: number, generation: number): void;
  /** The proxy is not connected any more; its number may be another's from now on. */
  gone(number: number): void;
}

/** A change that is being followed. */
export interface FollowedPush {
  /** The change concerns this proxy, whose stream hears of it next. */
  told(number: number, peer: Peer): void;
  /** The change concerns nobody else. */
  toldAll(): void;
}

/** Changes that are followed at once. More means that some proxy does not answer; the oldest is reported as it stands. */
const FOLLOWED_MAX = 64;

/** Who was not told of the change, or waits no more, is below `WAITS`. */
const STAGE = { NOT_TOLD: 0, DONE: 1, WAITS: 2, WAITS_AND_WAS_SENT: 3 } as const;

interface Followed {
  readonly push: Push;
  /** The proxies that were told, and their numbers. */
  readonly peers: Peer[];
  readonly numbers: number[];
  /** How far each proxy is, by its number. */
  stages: Uint8Array;
  /** How many of them wait. */
  waiting: number;
  /** More may be told. */
  isTelling: boolean;
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
  const settled = (number: number, generation: number) => {
    for (let position = 0; position < followed.length; ) {
      const entry = followed[position];
      if (entry !== undefined && entry.push.generation <= generation && takeOff(entry, number) && isOver(entry)) {
        report(position);
      } else position += 1;
    }
  };
  return {
    pushed(push) {
      const entry = newlyFollowed(push);
      followed.push(entry);
      return {
        told: (number, peer) => putOn(entry, number, peer),
        toldAll() {
          entry.isTelling = false;
          if (isOver(entry)) report(followed.indexOf(entry));
          else if (followed.length > FOLLOWED_MAX) report(0);
        },
      };
    },
    sent(number, peer, generation, resources, bytes) {
      // The newest change that the response can be the consequence of.
      for (let position = followed.length - 1; position >= 0; position -= 1) {
        const entry = followed[position];
        if (entry === undefined || entry.push.generation > generation) continue;
        const stage = entry.stages[number] ?? STAGE.NOT_TOLD;
        if (stage < STAGE.WAITS) continue;
        if (stage === STAGE.WAITS) {
          entry.stages[number] = STAGE.WAITS_AND_WAS_SENT;
          entry.touched.push(peer);
        }
        entry.responses += 1;
        entry.resources += resources;
        entry.bytes += bytes;
        return;
      }
    },
    settled,
    gone: (number) => settled(number, Number.POSITIVE_INFINITY),
  };
}

function newlyFollowed(push: Push): Followed {
  const counts = { waiting: 0, responses: 0, resources: 0, bytes: 0 };
  return { push, peers: [], numbers: [], stages: new Uint8Array(0), isTelling: true, touched: [], ...counts };
}

function isOver({ waiting, isTelling }: Followed): boolean {
  return waiting === 0 && !isTelling;
}

/** A proxy with several streams is waited for once, even if the first of them is done before the next is told. */
function putOn(entry: Followed, number: number, peer: Peer): void {
  if (number >= entry.stages.length) {
    const grown = new Uint8Array(Math.max(number + 1, 2 * entry.stages.length));
    grown.set(entry.stages);
    entry.stages = grown;
  }
  if (entry.stages[number] !== STAGE.NOT_TOLD) return;
  entry.stages[number] = STAGE.WAITS;
  entry.waiting++;
  entry.numbers.push(number);
  entry.peers.push(peer);
}

/** False when the change is not waited for by this proxy. */
function takeOff(entry: Followed, number: number): boolean {
  if ((entry.stages[number] ?? STAGE.NOT_TOLD) < STAGE.WAITS) return false;
  entry.stages[number] = STAGE.DONE;
  entry.waiting--;
  return true;
}

function reportOf(entry: Followed, now: number): PushReport {
  const { push, peers, numbers, stages, touched, responses, resources, bytes } = entry;
  return {
    generation: push.generation,
    changes: push.changes,
    proxies: touched,
    responses,
    resources,
    bytes,
    ms: now - push.publishedAt,
    waiting: peers.filter((_, n) => (stages[numbers[n] ?? -1] ?? STAGE.NOT_TOLD) >= STAGE.WAITS),
  };
}
