import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { AddressRecord } from "./address-record.ts";

function emptyRecord() {
  const clock = manualClock();
  const reported: string[] = [];
  const record = new AddressRecord({
    clock,
    onHeldBack: (address, cause) => void reported.push(`${address}: ${cause}`),
  });
  const fail = (address: string, times: number) => {
    for (let n = 1; n <= times; n++) record.failed(address, `failure ${n}`);
  };
  return { clock, record, reported, fail };
}

test("an address may fail a few times; then it is held back, and the log says so once", () => {
  const { record, reported, fail } = emptyRecord();
  fail("10.0.0.1", 4);
  expect([record.isHeldBack("10.0.0.1"), record.heldBack()]).toEqual([false, 0]);
  fail("10.0.0.1", 3);
  expect([record.isHeldBack("10.0.0.1"), record.heldBack()]).toEqual([true, 1]);
  expect(record.isHeldBack("10.0.0.2")).toBe(false);
  expect(reported).toEqual(["10.0.0.1: failure 1"]);
});

test("however often it has failed, a minute later an address is held back no more", () => {
  const { clock, record, fail } = emptyRecord();
  fail("10.0.0.1", 1000);
  clock.advance(59_000);
  expect(record.isHeldBack("10.0.0.1")).toBe(true);
  clock.advance(1_000);
  expect(record.isHeldBack("10.0.0.1")).toBe(false);
});

test("one proxy that speaks xDS clears its address, and the next time it is held back is told again", () => {
  const { record, reported, fail } = emptyRecord();
  fail("10.0.0.1", 8);
  record.proven("10.0.0.1");
  expect([record.isHeldBack("10.0.0.1"), record.hasProxy("10.0.0.1")]).toEqual([false, true]);
  fail("10.0.0.1", 5);
  expect(record.isHeldBack("10.0.0.1")).toBe(true);
  expect(reported).toHaveLength(2);
});

test("an address that was in order for long is told of again when it is not, also if it is the only one", () => {
  const { clock, reported, fail } = emptyRecord();
  fail("10.0.0.1", 8);
  clock.advance(600_000);
  fail("10.0.0.1", 8);
  expect(reported).toHaveLength(2);
});

test("an address has a proxy for as long as one of several is connected, and leaves nothing behind", () => {
  const { record } = emptyRecord();
  record.proven("10.0.0.1");
  record.proven("10.0.0.1");
  record.left("10.0.0.1");
  expect(record.hasProxy("10.0.0.1")).toBe(true);
  record.left("10.0.0.1");
  expect([record.hasProxy("10.0.0.1"), record.size]).toEqual([false, 0]);
});

test("who has no address, as on a Unix socket, is never held back", () => {
  const { record, fail } = emptyRecord();
  fail("", 100);
  record.proven("");
  expect([record.isHeldBack(""), record.size]).toEqual([false, 0]);
});

test("what is remembered of strangers has a bound, and is forgotten as others come", () => {
  const { clock, record, fail } = emptyRecord();
  for (let n = 0; n < 30_000; n++) fail(`first-${n}`, 1);
  expect(record.size).toBe(10_000);
  clock.advance(600_000);
  for (let n = 0; n < 5_001; n++) fail(`second-${n}`, 1);
  expect(record.size).toBe(5_001);
});
