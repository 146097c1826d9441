import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import type { ResourceTable } from "../xds/resource.ts";
import { tellStreams } from "./tell-streams.ts";
import type { Subscription, Workload } from "./workload.ts";

const table = { generation: 2 } as unknown as NonNullable<Workload["table"]>;

function classOf(streams: number, onChange: (n: number) => void): Workload {
  const subscriptions = Array.from({ length: streams }, (_, n): Subscription => {
    const peer = { uuid: `${n}`, namespace: "shop", pod: `${n}`, serviceAccount: "web" };
    return { peer, onChange: () => onChange(n), workload: undefined, table: undefined, isTold: false };
  });
  const identity = { namespace: "shop", serviceAccount: "web" };
  return { key: "shop/web/1", identity, subscriptions: new Set(subscriptions), parts: [], table };
}

test("the first of thousands of streams is served before the last is told", async () => {
  let told = 0;
  let toldWhenServed = 0;
  const workload = classOf(1000, (n) => {
    if (n > 0) return;
    queueMicrotask(() => {
      toldWhenServed = told;
    });
  });
  await tellStreams(manualClock(), [workload], () => {
    told++;
  });
  expect(told).toBe(1000);
  expect(toldWhenServed).toBeLessThan(100);
});

test("a stream that closes while others are told hears of nothing, and one that has the table is not told again", async () => {
  const heard: number[] = [];
  const workload = classOf(100, (n) => heard.push(n));
  const [first, second, ...rest] = workload.subscriptions;
  if (second !== undefined) second.table = table as ResourceTable;
  await tellStreams(manualClock(), [workload], ({ peer }) => {
    if (peer.uuid === first?.peer.uuid) for (const late of rest.slice(50)) workload.subscriptions.delete(late);
  });
  expect(heard).toEqual([0, ...Array.from({ length: 50 }, (_, n) => n + 2)]);
});
