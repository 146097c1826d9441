import { expect, test } from "vitest";
import type { LogFields } from "../lib/mod.ts";
import { manualClock, silentLog } from "../lib/mod.ts";
import type { Leaf, LeafPolicy } from "./leaf-keeper.ts";
import { createLeafKeeper } from "./leaf-keeper.ts";

const policy: LeafPolicy = { keyAlgorithm: "ECDSA", keyBits: 2048, validitySeconds: 3600 };
const buyer = { namespace: "bookbuyer", serviceAccount: "buyer" };
const thief = { namespace: "bookthief", serviceAccount: "thief" };
const HOUR = 3_600_000;

/** Lets everything happen that waits for nothing but promises. */
async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function bench(options: { readonly random?: number } = {}) {
  const manual = manualClock(1_000_000);
  const delays: number[] = [];
  const clock = {
    ...manual,
    after(delayMs: number, action: () => void) {
      delays.push(delayMs);
      return manual.after(delayMs, action);
    },
  };
  const issued: { readonly identity: string; readonly atMs: number; readonly policy: LeafPolicy }[] = [];
  const seen: string[] = [];
  const errors: LogFields[] = [];
  let failure: Error | undefined;
  let gate: Promise<void> | undefined;
  const keeper = createLeafKeeper({
    policy,
    clock,
    random: () => options.random ?? 0.5,
    log: { ...silentLog(), error: (_message, fields) => errors.push(fields ?? {}) },
    onChange: (identity, leaf) => seen.push(`${identity.serviceAccount}:${leaf.serial}`),
    async issue(identity, current) {
      issued.push({ identity: identity.serviceAccount, atMs: clock.now(), policy: current });
      const serial = String(issued.length);
      await gate;
      if (failure) throw failure;
      return {
        issuerId: "ca",
        serial,
        notAfterMs: clock.now() + current.validitySeconds * 1000,
        secret: new Uint8Array(),
      } satisfies Leaf;
    },
  });
  return {
    keeper,
    clock,
    delays,
    issued,
    seen,
    errors,
    fail(error: Error | undefined) {
      failure = error;
    },
    hold(until: Promise<void> | undefined) {
      gate = until;
    },
  };
}

test.each([0, 0.999])("a leaf is replaced while more than a third of its life is left (random %d)", async (random) => {
  const { keeper, clock, issued } = bench({ random });
  keeper.want(buyer);
  await settle();
  clock.advance(HOUR * 0.549);
  await settle();
  expect(issued).toHaveLength(1);
  clock.advance(HOUR * (0.6667 - 0.549));
  await settle();
  expect(issued).toHaveLength(2);
});

test("leaves made together are not renewed together", async () => {
  const [early, late] = [bench({ random: 0 }), bench({ random: 0.99 })];
  for (const { keeper, clock } of [early, late]) {
    keeper.want(buyer);
    await settle();
    clock.advance(HOUR);
    await settle();
  }
  expect((late.issued[1]?.atMs ?? 0) - (early.issued[1]?.atMs ?? 0)).toBeGreaterThan(HOUR / 10);
});

test("a leaf that lives longer than any timer is not renewed in a loop", async () => {
  const { keeper, clock, delays, issued } = bench();
  keeper.setPolicy({ ...policy, validitySeconds: 365 * 24 * 3600 });
  keeper.want(buyer);
  await settle();
  clock.advance(24 * HOUR * 100);
  await settle();
  expect(issued).toHaveLength(1);
  expect(Math.max(...delays)).toBeLessThan(2 ** 31);
});

test("many proxies of one service account share one leaf", async () => {
  const { keeper, issued, seen } = bench();
  keeper.want(buyer);
  keeper.want(buyer);
  await settle();
  keeper.want({ ...buyer });
  await settle();
  expect(issued).toHaveLength(1);
  expect(seen).toEqual(["buyer:1"]);
});

test("when signing fails the leaf at hand stays, it is said once a try, and tried again", async () => {
  const { keeper, clock, issued, errors, fail } = bench();
  keeper.want(buyer);
  await settle();
  fail(new Error("signer is gone"));
  clock.advance(HOUR * 0.62);
  await settle();
  expect(keeper.current(buyer)?.serial).toBe("1");
  expect(errors).toMatchObject([{ serviceAccount: "buyer", error: "signer is gone" }]);
  fail(undefined);
  clock.advance(60_000);
  await settle();
  expect(keeper.current(buyer)?.serial).toBe("3");
  expect(issued).toHaveLength(3);
});

test("an identity without pods is forgotten, also while its leaf is being made", async () => {
  const { keeper, clock, seen, issued, hold } = bench();
  keeper.want(buyer);
  await settle();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  keeper.want(thief);
  keeper.retain((identity) => identity.serviceAccount === "nobody");
  gate.resolve();
  await settle();
  clock.advance(100 * HOUR);
  await settle();
  expect(seen).toEqual(["buyer:1"]);
  expect(issued).toHaveLength(2);
  expect(keeper.current(buyer)).toBeUndefined();
});

test("rotating replaces every leaf, one that was just being made included", async () => {
  const { keeper, hold } = bench();
  keeper.want(buyer);
  await settle();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  keeper.want(thief);
  const rotated = keeper.rotateAll();
  gate.resolve();
  expect(await rotated).toBe(2);
  expect([keeper.current(buyer)?.serial, keeper.current(thief)?.serial].sort()).toEqual(["3", "4"]);
});

test("rotating says so when a leaf could not be made", async () => {
  const { keeper, fail } = bench();
  keeper.want(buyer);
  await settle();
  fail(new Error("no"));
  await expect(keeper.rotateAll()).rejects.toThrow("1 of 1 certificates could not be renewed");
  expect(keeper.current(buyer)?.serial).toBe("1");
});

test("another validity or key holds for new leaves and touches none in use", async () => {
  const { keeper, clock, issued } = bench();
  keeper.want(buyer);
  await settle();
  keeper.setPolicy({ keyAlgorithm: "RSA", keyBits: 4096, validitySeconds: 60 });
  await settle();
  expect(issued).toHaveLength(1);
  clock.advance(HOUR * 0.667);
  await settle();
  expect(issued[1]?.policy).toMatchObject({ keyAlgorithm: "RSA", keyBits: 4096 });
});
