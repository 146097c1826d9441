import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { Clock } from "../../src/lib/mod.ts";
import { skipOnDeno } from "../../test/support/needs.ts";
import { SilentFleet } from "./session.ts";

const STREAMS = 5_000;
/** Measured: 3.0 kB, with the proxy's own words, table subscription and transport of this bench in it. */
const BYTES_MAX = 3_500;

test("a stream that is up to date takes little memory, whatever it asks for", {
  timeout: 60_000,
}, async (context) => {
  skipOnDeno(context, "collector that can be asked");
  const collect = collector();
  const timers = new Set<() => void>();
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after(_, action) {
      timers.add(action);
      return () => void timers.delete(action);
    },
  };
  const fleet = new SilentFleet({ streams: STREAMS, resources: 20, clock });
  const before = collect();
  await fleet.connect();
  await fleet.push();
  fleet.acknowledge(fleet.answers());
  // The timer of the first requests, which holds on to nothing afterwards.
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect((collect() - before) / STREAMS).toBeLessThan(BYTES_MAX);
  expect(fleet.size).toBe(STREAMS);
});

test("a change for all is encoded once, and the same bytes go to every stream", async () => {
  const fleet = new SilentFleet({ streams: 300, resources: 5 });
  await fleet.connect();
  for (let round = 0; round < 3; round++) {
    await fleet.push();
    expect(fleet.buffers).toBe(1);
    fleet.acknowledge(fleet.answers());
  }
});

/** Says how much heap is in use after everything that is garbage has gone. */
function collector(): () => number {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  return () => {
    gc();
    gc();
    return process.memoryUsage().heapUsed;
  };
}
