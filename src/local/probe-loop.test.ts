import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import type { ProbeOutcome } from "./probe.ts";
import { probeLoop } from "./probe-loop.ts";

/** Runs a loop over scripted outcomes; gives the times at which a probe was carried out and what was heard, in ms. */
async function run(probe: object, outcomes: (atMs: number) => ProbeOutcome["result"], untilMs: number) {
  const clock = manualClock();
  const carriedOut: number[] = [];
  const heard: [number, boolean][] = [];
  const loop = probeLoop({
    probe,
    clock,
    carryOut: async () => {
      carriedOut.push(clock.now());
      const result = outcomes(clock.now());
      return result === "success" ? { result } : { result, message: "no" };
    },
    onChange: (isPassing) => heard.push([clock.now(), isPassing]),
  });
  while (clock.now() < untilMs) {
    clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  loop.stop();
  return { carriedOut, heard };
}

test("a program is probed once a period, beginning after the initial delay", async () => {
  const { carriedOut, heard } = await run({ initialDelaySeconds: 2, periodSeconds: 5 }, () => "success", 13_000);
  expect(carriedOut).toEqual([2000, 7000, 12_000]);
  expect(heard).toEqual([[2000, true]]);
});

test("readiness is lost after as many failures in a row as the probe allows, and won back by its successes", async () => {
  const outcome = (atMs: number) => (atMs >= 1000 && atMs < 4000 ? "failure" : "success");
  const { heard } = await run({ periodSeconds: 1, failureThreshold: 2, successThreshold: 2 }, outcome, 8000);
  expect(heard.map(([atMs, isPassing]) => [Math.round(atMs / 1000), isPassing])).toEqual([
    [2, false],
    [5, true],
  ]);
});

test("a program that comes up within its period is ready soon after, not one period later", async () => {
  const { heard } = await run({ periodSeconds: 10 }, (atMs) => (atMs < 1200 ? "absent" : "success"), 3000);
  expect(heard).toEqual([[expect.closeTo(1200, -3), true]]);
  expect(heard[0]?.[0]).toBeLessThan(1500);
});

test("a port on which nobody listens fails once a period, however often it is looked at", async () => {
  const { heard } = await run({ periodSeconds: 2, failureThreshold: 3 }, () => "absent", 8000);
  expect(heard).toHaveLength(1);
  expect(heard[0]?.[0]).toBeGreaterThanOrEqual(6000);
});

test("a period of 0 is the default one, not a probe without pause", async () => {
  const zeros = { periodSeconds: 0, failureThreshold: 0, successThreshold: 0 };
  expect((await run(zeros, () => "success", 25_000)).carriedOut).toHaveLength(3);
});
