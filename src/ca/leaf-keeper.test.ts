import { expect, test } from "vitest";
import type { LogFields } from "../lib/mod.ts";
import { manualClock, silentLog } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import type { WorkloadIdentity } from "./certificate-names.ts";
import type { Leaf, LeafKeeper, LeafPolicy } from "./leaf-keeper.ts";
import { createLeafKeeper } from "./leaf-keeper.ts";
import { factsIn } from "./leaf-version.ts";

const policy: LeafPolicy = { keyAlgorithm: "ECDSA", keyBits: 2048, validitySeconds: 3600 };
const buyer = { namespace: "bookbuyer", serviceAccount: "buyer" };
const thief = { namespace: "bookthief", serviceAccount: "thief" };
const HOUR = 3_600_000;

/** Lets everything happen that waits for nothing but promises. */
async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const versionOf = (serial: string, issuedMs: number, lifeMs = HOUR) =>
  `ca.${serial}.${issuedMs + lifeMs}.${issuedMs}.authentic`;

function bench(options: { readonly chance?: string } = {}) {
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
  let accepted = 0;
  let failure: Error | undefined;
  let gate: Promise<void> | undefined;
  const keeper: LeafKeeper = createLeafKeeper({
    policy,
    rotatedAtMs: Number.NEGATIVE_INFINITY,
    clock,
    random: () => 0.5,
    log: { ...silentLog(), error: (_message, fields) => errors.push(fields ?? {}) },
    read: (_identity, version) => (version.endsWith(".authentic") ? factsIn(version) : undefined),
    onAccept: () => {
      accepted += 1;
    },
    onChange: (identity) => seen.push(`${identity.serviceAccount}:${serialOf(keeper.current(identity))}`),
    async issue(identity, current) {
      issued.push({ identity: identity.serviceAccount, atMs: clock.now(), policy: current });
      const serial = `${issued.length}${options.chance ?? "80000000"}`;
      await gate;
      if (failure) throw failure;
      const version = versionOf(serial, clock.now(), current.validitySeconds * 1000);
      return { version, secret: new Uint8Array() } satisfies Leaf;
    },
  });
  return {
    keeper,
    clock,
    delays,
    issued,
    seen,
    errors,
    accepted: () => accepted,
    /** Wants an identity and needs its leaf. */
    need(identity: WorkloadIdentity) {
      keeper.want(identity);
      keeper.need(identity);
    },
    fail(error: Error | undefined) {
      failure = error;
    },
    hold(until: Promise<void> | undefined) {
      gate = until;
    },
  };
}

/** The running number in front of what decides the moment of renewal. */
function serialOf(leaf: Leaf | undefined): string | undefined {
  return leaf && factsIn(leaf.version).serial.slice(0, -8);
}

test.each(["00000000", "ffffffff"])(
  "a leaf is replaced while a third of its life is left (serial %s)",
  async (chance) => {
    const { need, clock, issued } = bench({ chance });
    need(buyer);
    await settle();
    clock.advance(HOUR * 0.549);
    await settle();
    expect(issued).toHaveLength(1);
    clock.advance(HOUR * (0.6667 - 0.549));
    await settle();
    expect(issued).toHaveLength(2);
  },
);

test("leaves made together are not renewed together", async () => {
  const [early, late] = [bench({ chance: "00000000" }), bench({ chance: "f0000000" })];
  for (const { need, clock } of [early, late]) {
    need(buyer);
    await settle();
    clock.advance(HOUR);
    await settle();
  }
  expect((late.issued[1]?.atMs ?? 0) - (early.issued[1]?.atMs ?? 0)).toBeGreaterThan(HOUR / 10);
});

test("a leaf that lives longer than any timer is not renewed in a loop", async () => {
  const { keeper, clock, delays, issued, need } = bench();
  keeper.setPolicy({ ...policy, validitySeconds: 365 * 24 * 3600 });
  need(buyer);
  await settle();
  clock.advance(24 * HOUR * 100);
  await settle();
  expect(issued).toHaveLength(1);
  expect(Math.max(...delays)).toBeLessThan(2 ** 31);
});

test("many proxies of one service account share one leaf", async () => {
  const { issued, seen, need } = bench();
  need(buyer);
  need(buyer);
  await settle();
  need({ ...buyer });
  await settle();
  expect(issued).toHaveLength(1);
  expect(seen).toEqual(["buyer:1"]);
});

test("when signing fails the leaf at hand stays, it is said once a try, and tried again", async () => {
  const { keeper, clock, issued, errors, fail, need } = bench();
  need(buyer);
  await settle();
  fail(new Error("signer is gone"));
  clock.advance(HOUR * 0.62);
  await settle();
  expect(serialOf(keeper.current(buyer))).toBe("1");
  expect(errors).toMatchObject([{ serviceAccount: "buyer", error: "signer is gone" }]);
  fail(undefined);
  clock.advance(60_000);
  await settle();
  expect(serialOf(keeper.current(buyer))).toBe("3");
  expect(issued).toHaveLength(3);
});

test("an identity without pods is forgotten, also while its leaf is being made", async () => {
  const { keeper, clock, seen, issued, hold, need } = bench();
  need(buyer);
  await settle();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  need(thief);
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
  const { keeper, hold, need } = bench();
  need(buyer);
  await settle();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  need(thief);
  const rotated = keeper.rotateAll();
  gate.resolve();
  expect(await rotated).toBe(2);
  expect([serialOf(keeper.current(buyer)), serialOf(keeper.current(thief))].sort()).toEqual(["3", "4"]);
});

test("who needs a first leaf in the middle of a rotation of thousands waits for a few hundred of them", async () => {
  const { keeper, hold, issued, need } = bench();
  for (let n = 0; n < 2000; n++) need({ namespace: "many", serviceAccount: `s${n}` });
  await settle();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  const rotated = keeper.rotateAll();
  // As many turns as it would take to ask for all of them a hundred at a time.
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  need(buyer);
  const before = issued.findIndex(({ identity }) => identity === buyer.serviceAccount) - 2000;
  expect(before).toBeGreaterThanOrEqual(128);
  expect(before).toBeLessThan(500);
  gate.resolve();
  expect(await rotated).toBe(2000);
});

test("rotating says so when a leaf could not be made", async () => {
  const { keeper, fail, need } = bench();
  need(buyer);
  await settle();
  fail(new Error("no"));
  await expect(keeper.rotateAll()).rejects.toThrow("1 of 1 certificates could not be renewed");
  expect(serialOf(keeper.current(buyer))).toBe("1");
});

test("another validity or key holds for new leaves and touches none in use", async () => {
  const { keeper, clock, issued, need } = bench();
  need(buyer);
  await settle();
  keeper.setPolicy({ keyAlgorithm: "RSA", keyBits: 4096, validitySeconds: 60 });
  await settle();
  expect(issued).toHaveLength(1);
  clock.advance(HOUR * 0.667);
  await settle();
  expect(issued[1]?.policy).toMatchObject({ keyAlgorithm: "RSA", keyBits: 4096 });
});

test("an identity that nobody asks a leaf for costs none", async () => {
  const { keeper, clock, issued } = bench();
  keeper.want(buyer);
  keeper.need(thief);
  clock.advance(100 * HOUR);
  await settle();
  expect([issued, await keeper.rotateAll()]).toEqual([[], 0]);
});

test("proxies go on with leaves of another process until these are due, and then get the first that is made", async () => {
  const { keeper, clock, issued, seen, accepted } = bench();
  const [first, second] = [
    versionOf("80000000", clock.now() - HOUR / 2),
    versionOf("80000000", clock.now() - HOUR / 4),
  ];
  keeper.want(buyer);
  expect([keeper.accept(buyer, first), keeper.accept(buyer, first), keeper.accept(buyer, second)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(accepted()).toBe(2);
  clock.advance(HOUR * 0.1);
  await settle();
  expect(issued).toEqual([]);
  clock.advance(HOUR * 0.01);
  await settle();
  expect([issued.length, seen]).toEqual([1, ["buyer:1"]]);
  expect([keeper.accept(buyer, first), keeper.accept(buyer, second)]).toEqual([false, true]);
  // The second is due in its turn: what was made in the meantime serves.
  clock.advance(HOUR * 0.25);
  await settle();
  expect([issued.length, seen]).toEqual([1, ["buyer:1", "buyer:1"]]);
  expect(keeper.accept(buyer, second)).toBe(false);
});

test("what nobody can vouch for, is due, or belongs to an identity out of use is not accepted", () => {
  const { keeper, clock } = bench();
  const good = versionOf("1", clock.now());
  expect(keeper.accept(buyer, good)).toBe(false);
  keeper.want(buyer);
  expect(keeper.accept(buyer, "forged")).toBe(false);
  expect(keeper.accept(buyer, versionOf("1", clock.now() - 0.7 * HOUR))).toBe(false);
  expect(keeper.accept(buyer, good)).toBe(true);
});

test("no client can make the keeper remember versions without end", () => {
  const { keeper, clock } = bench();
  keeper.want(buyer);
  const all = Array.from({ length: 100 }, (_, n) => keeper.accept(buyer, versionOf(String(n), clock.now())));
  expect(all.filter(Boolean)).toHaveLength(8);
});

test("rotating replaces accepted leaves as well, and accepts none that was made before", async () => {
  const { keeper, clock, seen, need } = bench();
  const [held, late] = [versionOf("1", clock.now()), versionOf("2", clock.now() - 1)];
  keeper.want(buyer);
  keeper.accept(buyer, held);
  need(thief);
  await settle();
  expect(await keeper.rotateAll()).toBe(2);
  expect(seen.filter((change) => change.startsWith("buyer"))).toHaveLength(1);
  expect([keeper.accept(buyer, held), keeper.accept(buyer, late)]).toEqual([false, false]);
  clock.advance(1);
  expect(keeper.accept(buyer, versionOf("3", clock.now()))).toBe(true);
});

test("a claim that is accepted while signing fails does not end the trying", async () => {
  const { keeper, clock, issued, need, fail } = bench();
  fail(new Error("signer is gone"));
  need(buyer);
  await settle();
  expect(keeper.accept(buyer, versionOf("1", clock.now()))).toBe(true);
  fail(undefined);
  clock.advance(60_000);
  await settle();
  expect([issued.length, serialOf(keeper.current(buyer))]).toEqual([2, "2"]);
});
