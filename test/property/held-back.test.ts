/** Addresses whose connections come to nothing: what they cost is bounded, and how long they are held back. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { manualClock } from "../../src/lib/mod.ts";
import { AddressRecord } from "../../src/xds/admission/address-record.ts";
import { admission } from "../../src/xds/admission/admission.ts";

interface Step {
  /** Where somebody comes from, or where a handshake fails. */
  readonly address: string;
  readonly does: "come" | "fail" | "prove";
  readonly thenMs: number;
}

const address = fc.constantFrom("a", "b", "c");
const thenMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100 }));

const anySteps = (...deeds: Step["does"][]) =>
  fc.array(fc.record({ address, does: fc.constantFrom(...deeds), thenMs }), { minLength: 100, maxLength: 300 });

function play(steps: readonly Step[]) {
  const clock = manualClock();
  const record = new AddressRecord({ clock, onHeldBack: () => undefined });
  const later: (() => void)[] = [];
  const heldBackAtMs: number[] = [];
  const waiting = new Set<Step>();
  const line = admission<Step>({
    start(step, wasHeldBack) {
      waiting.delete(step);
      if (wasHeldBack) heldBackAtMs.push(clock.monotonic());
      later.push(() => line.done());
    },
    originOf: (step) => step.address,
    record,
    onHeldBack: () => undefined,
    later: (action) => void later.push(action),
    workedMs: () => 0,
    told: () => 0,
    clock,
  });
  const settle = () => {
    while (later.length > 0) later.shift()?.();
  };
  for (const step of steps) {
    if (step.does === "fail") record.failed(step.address, "");
    else if (step.does === "come") {
      waiting.add(step);
      line.add(step);
    } else {
      record.proven(step.address);
      line.proven(step.address, false);
    }
    settle();
    // In small steps: what is due in between runs when it is due.
    for (let ms = step.thenMs; ms > 0; ms -= 10) {
      clock.advance(Math.min(ms, 10));
      settle();
    }
  }
  return { clock, record, line, heldBackAtMs, waiting, settle };
}

test("in no stretch of time do handshakes that are held back take more than their share", () => {
  fc.assert(
    fc.property(anySteps("come", "come", "come", "fail"), (steps) => {
      const { heldBackAtMs } = play(steps);
      for (const [first, fromMs] of heldBackAtMs.entries()) {
        for (let last = first; last < heldBackAtMs.length; last++) {
          const ms = (heldBackAtMs[last] ?? 0) - fromMs;
          expect(last - first + 1).toBeLessThanOrEqual(5 + ms / 250 + 1e-6);
        }
      }
    }),
  );
});

test("whatever happened before, nobody waits once there was a minute without a failure", () => {
  fc.assert(
    fc.property(anySteps("come", "fail", "fail", "prove"), (steps) => {
      const { clock, record, line, waiting, settle } = play(steps);
      for (let ms = 0; ms < 60_000; ms += 10) {
        clock.advance(10);
        settle();
      }
      expect([record.heldBack(), line.waiting, waiting.size]).toEqual([0, 0, 0]);
    }),
  );
});
