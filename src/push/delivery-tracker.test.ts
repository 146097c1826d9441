import { expect, test, vi } from "vitest";
import { collectGarbage } from "../../test/support/garbage.ts";
import { skipOnDeno } from "../../test/support/needs.ts";
import { manualClock, Slots } from "../lib/mod.ts";
import { type Peer, type Resource, TYPE_URLS } from "../xds/resource.ts";
import { createDeliveryTracker, type StreamDelivery } from "./delivery-tracker.ts";
import type { PushReport } from "./push-follower.ts";

function peer(name: string): Peer {
  return { uuid: `uuid-${name}`, namespace: "shop", pod: name, serviceAccount: name };
}
function resource(name: string, version: string, typeUrl: Resource["typeUrl"] = TYPE_URLS.endpoints): Resource {
  return { typeUrl, name, version, bytes: new Uint8Array(10) };
}
function delivery(generation: number, resources: readonly Resource[]) {
  return { typeUrl: resources[0]?.typeUrl ?? TYPE_URLS.endpoints, generation, resources, bytes: 100 };
}

function bench() {
  const clock = manualClock(5000);
  const reports: PushReport[] = [];
  const tracker = createDeliveryTracker({ clock, onReport: (report) => reports.push(report) });
  let streams = 0;
  const stream = (name: string) => {
    const opened = { slot: streams++, peer: peer(name), protocol: "delta", isSubscribed: () => true } as const;
    tracker.connected(opened);
    return opened;
  };
  const push = (generation: number, ...names: string[]) => {
    const following = tracker.pushed({ generation, changes: [], publishedAt: clock.monotonic() });
    for (const name of names) following.told(peer(name));
    following.toldAll();
  };
  return { clock, reports, tracker, stream, push };
}

test("a change is reported when the last proxy has acknowledged it, with what it took", () => {
  const { clock, reports, tracker, stream, push } = bench();
  const [a, b] = [stream("a"), stream("b")];
  push(7, "a", "b");
  for (const each of [a, b]) tracker.sent(each, delivery(7, [resource("x", "1"), resource("y", "1")]));
  clock.advance(30);
  tracker.settled(a, 7);
  expect(reports).toEqual([]);
  clock.advance(12);
  tracker.settled(b, 7);
  expect(reports).toMatchObject([{ generation: 7, ms: 42, responses: 2, resources: 4, bytes: 200, waiting: [] }]);
  expect(reports[0]?.proxies.map(({ pod }) => pod)).toEqual(["a", "b"]);
});

test("a change is not reported while there are proxies to tell of it, however fast the others are", () => {
  const { reports, tracker, stream } = bench();
  const [a, b] = [stream("a"), stream("b")];
  const following = tracker.pushed({ generation: 7, changes: [], publishedAt: 0 });
  following.told(a.peer);
  tracker.settled(a, 7);
  expect(reports).toEqual([]);
  following.told(b.peer);
  following.toldAll();
  expect(reports).toEqual([]);
  tracker.settled(b, 7);
  expect(reports).toMatchObject([{ generation: 7 }]);
});

test("a proxy whose second stream is told after the first has acknowledged is counted once, and not waited for again", () => {
  const { reports, tracker, stream } = bench();
  const [first, second] = [stream("a"), stream("a")];
  const following = tracker.pushed({ generation: 7, changes: [], publishedAt: 0 });
  for (const told of [first, second]) {
    following.told(told.peer);
    tracker.sent(told, delivery(7, []));
    if (told === first) tracker.settled(told, 7);
  }
  following.toldAll();
  expect(reports.map(({ proxies, waiting }) => [proxies.length, waiting])).toEqual([[1, []]]);
});

test("a proxy that came back with all that it would be sent shows as up to date, though nothing was sent", () => {
  const { tracker, stream } = bench();
  tracker.held(stream("a"), TYPE_URLS.listener, 7);
  const [shown] = tracker.streams();
  expect(shown?.types.get(TYPE_URLS.listener)).toEqual({ sent: 7, acknowledged: 7 });
  expect(shown?.types.has(TYPE_URLS.cluster)).toBe(false);
});

test("a change that touches nobody is reported at once", () => {
  const { reports, push } = bench();
  push(3);
  expect(reports).toMatchObject([{ generation: 3, proxies: [], ms: 0 }]);
});

test("a proxy that had nothing to get counts as touched by nothing and holds nothing up", () => {
  const { reports, tracker, stream, push } = bench();
  const a = stream("a");
  push(3, "a");
  tracker.settled(a, 3);
  expect(reports).toMatchObject([{ generation: 3, proxies: [], responses: 0 }]);
});

test("a proxy that goes away is waited for no more, unless it has another stream", () => {
  const { reports, tracker, stream, push } = bench();
  const [first, second] = [stream("a"), stream("a")];
  push(3, "a");
  tracker.disconnected(first);
  expect(reports).toEqual([]);
  tracker.disconnected(second);
  expect(reports).toMatchObject([{ generation: 3 }]);
  expect(tracker.streams()).toEqual([]);
});

test("acknowledging a later world acknowledges the earlier ones", () => {
  const { reports, tracker, stream, push } = bench();
  const a = stream("a");
  push(3, "a");
  push(4, "a");
  tracker.sent(a, delivery(4, [resource("x", "2")]));
  tracker.settled(a, 4);
  expect(reports).toMatchObject([
    { generation: 3, resources: 0 },
    { generation: 4, resources: 1 },
  ]);
});

test("a proxy that never answers is named, and does not make memory grow", () => {
  const { reports, stream, push } = bench();
  stream("a");
  for (let generation = 1; generation <= 70; generation++) push(generation, "a");
  expect(reports).toHaveLength(6);
  expect(reports[0]?.waiting.map(({ pod }) => pod)).toEqual(["a"]);
});

test("what a proxy refused is shown until it acknowledges something newer of that type", () => {
  const { tracker, stream } = bench();
  const a = stream("a");
  const refused = delivery(4, [resource("x", "2")]);
  tracker.sent(a, refused);
  tracker.nacked(a, { delivery: refused, names: ["x"], message: "bad x" });
  expect(tracker.streams()[0]?.types.get(TYPE_URLS.endpoints)).toMatchObject({
    sent: 4,
    acknowledged: 0,
    refused: { names: ["x"], message: "bad x", atMs: 5000 },
  });
  const better = delivery(5, [resource("x", "3")]);
  tracker.sent(a, better);
  tracker.acked(a, better);
  expect(tracker.streams()[0]?.types.get(TYPE_URLS.endpoints)).toEqual({ sent: 5, acknowledged: 5 });
});

test("waiting for a new leaf ends when the last open stream has it", async () => {
  const { clock, tracker, stream } = bench();
  const [a, b] = [stream("a"), stream("b")];
  const isNew = (each: StreamDelivery) => each.secretVersion("service-cert") === "new";
  const done = tracker.whenAll(isNew, 1000);
  tracker.acked(a, delivery(1, [resource("service-cert", "new", TYPE_URLS.secret)]));
  tracker.acked(b, delivery(1, [resource("service-cert", "old", TYPE_URLS.secret)]));
  tracker.disconnected(b);
  expect(await done).toBe(1);
  const c = stream("c");
  const late = tracker.whenAll(isNew, 1000);
  clock.advance(1000);
  await expect(late).rejects.toThrow("No acknowledgement within 1000 ms from the proxy of pod shop/c");
  tracker.disconnected(c);
});

test("waiting for thousands of proxies does not take the square of their number", async () => {
  const { tracker, stream } = bench();
  const streams = Array.from({ length: 2000 }, (_, n) => stream(`p${n}`));
  let looks = 0;
  const done = tracker.whenAll(({ types }) => {
    looks += 1;
    return types.get(TYPE_URLS.endpoints)?.acknowledged === 1;
  }, 1000);
  for (const each of streams) {
    tracker.sent(each, delivery(1, [resource("x", "1")]));
    tracker.acked(each, delivery(1, [resource("x", "1")]));
  }
  expect(await done).toBe(2000);
  expect(looks).toBeLessThan(6 * 2000);
});

test("a proxy that comes while others are waited for is waited for as well", async () => {
  const { tracker, stream } = bench();
  const isDone = ({ types }: { readonly types: ReadonlyMap<string, unknown> }) => types.has(TYPE_URLS.endpoints);
  const a = stream("a");
  const done = tracker.whenAll(isDone, 1000);
  const b = stream("b");
  tracker.sent(a, delivery(1, [resource("x", "1")]));
  tracker.acked(a, delivery(1, [resource("x", "1")]));
  let isOver = false;
  void done.then(() => {
    isOver = true;
  });
  await Promise.resolve();
  expect(isOver).toBe(false);
  tracker.sent(b, delivery(1, [resource("x", "1")]));
  tracker.acked(b, delivery(1, [resource("x", "1")]));
  expect(await done).toBe(2);
});

test("a type that the server does not speak is answered and not followed", () => {
  const { tracker, stream } = bench();
  const a = stream("a");
  const strange = { ...delivery(3, []), typeUrl: "type.googleapis.com/other" as typeof TYPE_URLS.endpoints };
  tracker.sent(a, strange);
  tracker.acked(a, strange);
  expect([...(tracker.streams()[0]?.types.keys() ?? [])]).toEqual([]);
});

test("a proxy with the place of one that has gone begins with nothing, and is not waited for in its stead", () => {
  const { reports, tracker, stream, push } = bench();
  const gone = stream("gone");
  const other = stream("other");
  push(3, "gone", "other");
  tracker.sent(gone, delivery(3, [resource("x", "1")]));
  tracker.acked(gone, delivery(3, [resource("x", "1")]));
  tracker.disconnected(gone);
  const next = { ...gone, peer: peer("next") };
  tracker.connected(next);
  expect(tracker.streams().at(-1)?.types.size).toBe(0);
  tracker.sent(next, delivery(3, [resource("x", "1")]));
  tracker.settled(other, 3);
  expect(reports).toMatchObject([{ generation: 3, responses: 1, waiting: [] }]);
  expect(reports[0]?.proxies.map(({ pod }) => pod)).toEqual(["gone"]);
});

test("what a proxy has been sent and has acknowledged stays known however many come after it", () => {
  const { tracker, stream } = bench();
  const first = stream("first");
  tracker.sent(first, delivery(4, [resource("x", "1")]));
  tracker.acked(first, delivery(3, [resource("x", "1")]));
  const types = () => [...(tracker.streams()[0]?.types.values() ?? [])];
  expect(types()).toEqual([{ sent: 4, acknowledged: 3 }]);
  for (let n = 0; n < 100; n++) stream(`later-${n}`);
  expect(types()).toEqual([{ sent: 4, acknowledged: 3 }]);
});

test("proxies that come, refuse and are gone, one after the other, take one place and leave nothing", async (context) => {
  skipOnDeno(context, "collector that can be asked");
  const taken = vi.spyOn(Slots.prototype, "take");
  const { tracker, stream } = bench();
  const refused = delivery(4, [resource("x", "2")]);
  const gone = Array.from({ length: 100 }, (_, n) => {
    const proxy = stream(`proxy-${n}`);
    tracker.sent(proxy, refused);
    tracker.nacked(proxy, { delivery: refused, names: ["x"], message: "bad x" });
    tracker.disconnected(proxy);
    return new WeakRef(proxy);
  });
  const places = taken.mock.results.map(({ value }) => value as number);
  vi.restoreAllMocks();
  expect([places.length, Math.max(...places)]).toEqual([100, 0]);
  await collectGarbage();
  expect(gone.filter((proxy) => proxy.deref() !== undefined)).toEqual([]);
  expect(tracker.streams()).toEqual([]);
});
