import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { ConnectionKeeper, type KeptConnection } from "./connection-keeper.ts";

const NEVER = Number.POSITIVE_INFINITY;

function connection(clock: { monotonic(): number }, { openStreams = 1, hasHadStream = true } = {}) {
  const events: [event: string, atS: number][] = [];
  const note = (event: string) => void events.push([event, clock.monotonic() / 1000]);
  const kept: KeptConnection = {
    isHeard: true,
    openStreams,
    hasHadStream,
    ping: () => note("ping"),
    close: () => note("close"),
    destroy: () => note("destroy"),
  };
  return { kept, events };
}

test("a peer that is silent is asked within 30 s, and gone within 45", () => {
  const clock = manualClock();
  const keeper = new ConnectionKeeper(clock);
  const { kept, events } = connection(clock);
  const forget = keeper.add(kept, NEVER);
  clock.advance(60_000);
  expect(events.map(([event]) => event).slice(0, 2)).toEqual(["ping", "destroy"]);
  expect(events[0]?.[1]).toBeLessThanOrEqual(30.5);
  expect(events[1]?.[1]).toBeLessThanOrEqual(45);
  expect(keeper.count).toBe(1);
  forget();
  forget();
  expect(keeper.count).toBe(0);
});

test("a peer that answers stays", () => {
  const clock = manualClock();
  const keeper = new ConnectionKeeper(clock);
  const { kept, events } = connection(clock);
  const answering = {
    ...kept,
    ping() {
      kept.ping();
      this.isHeard = true;
    },
  };
  keeper.add(answering, NEVER);
  clock.advance(300_000);
  expect(new Set(events.map(([event]) => event))).toEqual(new Set(["ping"]));
});

test("a connection that asks for nothing is closed soon, one between two streams after a minute", () => {
  const clock = manualClock();
  const keeper = new ConnectionKeeper(clock);
  const unused = connection(clock, { openStreams: 0, hasHadStream: false });
  const idle = connection(clock, { openStreams: 0 });
  for (const { kept } of [unused, idle])
    Object.defineProperty(kept, "isHeard", { get: () => true, set: () => undefined });
  keeper.add(unused.kept, NEVER);
  keeper.add(idle.kept, NEVER);
  clock.advance(120_000);
  expect(unused.events[0]).toEqual(["close", expect.closeTo(15, -1)]);
  expect(idle.events[0]?.[1]).toBeGreaterThan(60);
});

test("thousands that came at once are not asked at once", () => {
  const clock = manualClock();
  const keeper = new ConnectionKeeper(clock);
  const all = Array.from({ length: 2000 }, () => connection(clock));
  for (const { kept } of all) keeper.add(kept, NEVER);
  clock.advance(35_000);
  const byTime = new Map<number, number>();
  for (const [, atS] of all.flatMap(({ events }) => events)) byTime.set(atS, (byTime.get(atS) ?? 0) + 1);
  expect(Math.max(...byTime.values())).toBeLessThanOrEqual(100);
});

test("a connection ends within a minute of its client's certificate, not before, and not with all others", () => {
  const clock = manualClock();
  const keeper = new ConnectionKeeper(clock);
  const all = Array.from({ length: 64 }, () => connection(clock));
  for (const { kept } of all) {
    Object.defineProperty(kept, "isHeard", { get: () => true, set: () => undefined });
    keeper.add(kept, clock.now() + 100_000);
  }
  clock.advance(99_999);
  expect(all.flatMap(({ events }) => events)).toEqual([]);
  clock.advance(60_000);
  const closes = all.map(({ events }) => events.map(([, atS]) => atS).slice(0, 2));
  for (const [first, second] of closes) {
    expect(first).toBeGreaterThanOrEqual(100);
    expect(second, "the second time, whatever streams it has").toBeLessThanOrEqual(160);
  }
  const byTime = Map.groupBy(closes, ([first = 0]) => Math.floor(first / 5));
  expect(Math.max(...[...byTime.values()].map((group) => group.length))).toBeLessThanOrEqual(20);
});
