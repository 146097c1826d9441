import { expect, test } from "vitest";
import { manualClock, silentLog } from "../lib/mod.ts";
import { followTicketKeys } from "./ticket-keys.ts";

const DAY_MS = 86_400_000;

async function settle() {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

function bench() {
  const clock = manualClock(DAY_MS * 20_000 + 1000);
  const renewed: string[] = [];
  const errors: string[] = [];
  let failure: Error | undefined;
  const secrets = {
    async ticketKeys(nowMs: number) {
      if (failure) throw failure;
      const epoch = Math.floor(nowMs / DAY_MS);
      return { keys: Buffer.from(String(epoch)), endsAtMs: (epoch + 1) * DAY_MS };
    },
  };
  const log = { ...silentLog(), error: (message: string) => errors.push(message) };
  const first = { keys: Buffer.from("20000"), endsAtMs: DAY_MS * 20_001 };
  const stop = followTicketKeys(first, (keys) => renewed.push(keys.toString()), { secrets, clock, log });
  return {
    stop,
    clock,
    renewed,
    errors,
    fail(error: Error | undefined) {
      failure = error;
    },
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 60_000) {
        clock.advance(Math.min(left, 60_000));
        await settle();
      }
    },
  };
}

test("ticket keys change at the end of each epoch and at no other time", async () => {
  const { pass, renewed, stop } = bench();
  await pass(DAY_MS - 2000);
  expect(renewed).toEqual([]);
  await pass(2 * DAY_MS);
  expect(renewed).toEqual(["20001", "20002"]);
  stop();
  await pass(2 * DAY_MS);
  expect(renewed).toHaveLength(2);
});

test("keys that cannot be had are asked for again, and until then the old ones stay", async () => {
  const { pass, renewed, errors, fail } = bench();
  fail(new Error("the signer is gone"));
  await pass(DAY_MS + 90_000);
  expect([renewed, errors.length]).toEqual([[], 2]);
  fail(undefined);
  await pass(60_000);
  expect(renewed).toEqual(["20001"]);
});
