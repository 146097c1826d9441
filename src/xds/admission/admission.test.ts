import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { admission } from "./admission.ts";

/** Origins of which the record says nothing good. */
interface Strangers {
  readonly heldBack?: ReadonlySet<string>;
  /** A proxy is served there all the same. */
  readonly besideProxy?: ReadonlySet<string>;
}

const NOBODY: ReadonlySet<string> = new Set();

function queue(
  costMs: number,
  originOf = (_item: number) => "",
  { heldBack = NOBODY, besideProxy = NOBODY }: Strangers = {},
) {
  const clock = manualClock();
  const begun: number[] = [];
  const waiting: (() => void)[] = [];
  let workedMs = 0;
  let told = 0;
  const admitted = admission<number>({
    start: (item) => begun.push(item),
    originOf,
    record: { isHeldBack: (origin) => heldBack.has(origin), hasProxy: (origin) => besideProxy.has(origin) },
    onHeldBack: () => undefined,
    later: (action) => void waiting.push(action),
    workedMs: () => workedMs,
    told: () => told,
    clock,
  });
  const turn = () => {
    for (const action of waiting.splice(0)) action();
  };
  const finish = (count: number) => {
    for (let n = 0; n < count; n++) {
      workedMs += costMs;
      admitted.done();
    }
  };
  /** So many streams are told of a change, at a fiftieth of the cost each. */
  const tell = (count: number) => {
    workedMs += (count * costMs) / 50;
    told += count;
  };
  /** The thread does something else. */
  const work = (ms: number) => {
    workedMs += ms;
  };
  return { admitted, begun, clock, turn, finish, tell, work };
}

test("a crowd is let in oldest first, a few in each turn", () => {
  const { admitted, begun, turn, finish } = queue(1.5);
  for (let item = 0; item < 100; item++) admitted.add(item);
  admitted.remove(1);
  turn();
  expect(begun).toEqual([0, 2, 3]);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6]);
  finish(2);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([admitted.waiting, admitted.underWay]).toEqual([90, 7]);
});

test.each([
  ["cheap ones by the dozen", 0.25, 64],
  ["dear ones by the half dozen", 20, 6],
])("%s: as many as are little work together", (_what, costMs, expected) => {
  const { admitted, turn, finish } = queue(costMs);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  for (let round = 0; round < 300; round++) {
    turn();
    finish(1);
  }
  turn();
  for (let round = 0; round < 100; round++) turn();
  expect(admitted.underWay).toBe(expected);
});

test("while changes go to everybody, who comes gets as much of each turn as those who are connected, and no more", () => {
  const { admitted, begun, turn, finish, tell } = queue(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  const perTurn: number[] = [];
  for (let round = 0; round < 200; round++) {
    const before = begun.length;
    turn();
    perTurn.push(begun.length - before);
    finish(admitted.underWay);
    // 12 ms of each turn.
    tell(600);
  }
  const mean = perTurn.slice(100).reduce((sum, count) => sum + count) / 100;
  expect(mean).toBeGreaterThan(11);
  expect(mean).toBeLessThan(13);
});

test("when thousands are told in a turn that others hold up, it is not made longer still", () => {
  const { admitted, begun, turn, tell } = queue(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  turn();
  const before = begun.length;
  tell(5000);
  turn();
  expect(begun.length - before).toBeLessThanOrEqual(12);
});

test("distant peers, whose handshakes end one by one, are led through together", () => {
  const { admitted, turn, finish } = queue(2);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  for (let round = 0; round < 200; round++) {
    turn();
    finish(1);
  }
  turn();
  expect(admitted.underWay).toBe(20);
});

test("peers that do not answer keep nobody out for long, but have a bound", () => {
  const { admitted, begun, clock, turn } = queue(1);
  for (let item = 0; item < 10_000; item++) admitted.add(item);
  for (let round = 0; round < 100; round++) turn();
  expect(begun).toHaveLength(26);
  clock.advance(250);
  for (let round = 0; round < 100; round++) turn();
  expect(begun).toHaveLength(52);
  for (let round = 0; round < 100; round++) {
    clock.advance(2_000);
    for (let n = 0; n < 10; n++) turn();
  }
  expect(begun).toHaveLength(512);
});

test("what the thread did while peers were silent is not held against those who come after them", () => {
  const { admitted, begun, clock, turn, finish, work } = queue(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  turn();
  for (let round = 0; round < 100; round++) {
    work(100);
    clock.advance(250);
    turn();
  }
  for (let round = 0; round < 20; round++) {
    turn();
    finish(5);
  }
  const before = begun.length;
  for (let round = 0; round < 10; round++) {
    turn();
    finish(5);
  }
  expect(begun.length - before).toBeGreaterThan(20);
});

test("a proxy is let in while somebody else floods the queue with connections that end no handshake", () => {
  const { admitted, begun, turn } = queue(1, (item) => (item < 5000 ? "flood" : `proxy-${item}`));
  for (let item = 0; item < 5003; item++) admitted.add(item);
  admitted.remove(5001);
  turn();
  turn();
  expect(begun).toEqual([0, 5000, 5002, 1, 2, 3]);
  expect(admitted.waiting).toBe(4996);
});

const BAD = new Set(["bad"]);
const badUpTo = (count: number) => (item: number) => (item < count ? "bad" : `proxy-${item}`);

test("who is held back keeps nobody waiting, and gets a handshake now and then", () => {
  const { admitted, begun, clock, turn, finish } = queue(1, badUpTo(5000), { heldBack: BAD });
  for (let item = 0; item < 5030; item++) admitted.add(item);
  const round = () => {
    turn();
    finish(admitted.underWay);
  };
  for (let n = 0; n < 50; n++) round();
  expect(begun.filter((item) => item >= 5000)).toEqual(Array.from({ length: 30 }, (_, n) => 5000 + n));
  expect(begun.filter((item) => item < 5000)).toHaveLength(5);
  for (let n = 0; n < 1000; n++) {
    clock.advance(10);
    round();
  }
  expect(begun.filter((item) => item < 5000)).toHaveLength(45);
  expect([admitted.waiting, admitted.heldBack]).toEqual([4955, 4955]);
});

test("thousands that came before their address was known to be bad are held back with it, and a proxy of another is not", () => {
  const heldBack = new Set<string>();
  const { admitted, begun, turn, finish } = queue(1, badUpTo(5000), { heldBack });
  for (let item = 0; item < 5001; item++) admitted.add(item);
  turn();
  finish(admitted.underWay);
  heldBack.add("bad");
  const before = begun.length;
  for (let n = 0; n < 100; n++) {
    turn();
    finish(admitted.underWay);
  }
  expect(begun).toContain(5000);
  expect(begun.length - before).toBeLessThanOrEqual(5);
  expect(admitted.heldBack).toBe(5001 - begun.length);
  heldBack.delete("bad");
  admitted.proven("bad", false);
  for (let n = 0; admitted.waiting > 0 && n < 5000; n++) {
    turn();
    finish(admitted.underWay);
  }
  expect(new Set(begun).size).toBe(5001);
});

test("while nobody else is held back, who is does not wait", () => {
  const { admitted, begun, turn } = queue(1, badUpTo(1), { heldBack: BAD });
  admitted.add(0);
  turn();
  expect(begun).toEqual([0]);
});

test("where more come from an address than are let in, the newest is: it is still there", () => {
  const { admitted, begun, clock, turn } = queue(1, badUpTo(5000), { heldBack: BAD });
  for (let item = 0; item < 100; item++) admitted.add(item);
  for (let n = 0; n < 5; n++) {
    turn();
    clock.advance(10);
  }
  expect(begun).toEqual([99, 98, 97, 96, 95]);
  admitted.add(100);
  admitted.remove(94);
  clock.advance(460);
  expect(begun.slice(5)).toEqual([100, 93]);
});

test("an address that has a proxy as well gets every second one, however many others have none", () => {
  const origins = Array.from({ length: 1000 }, (_, n) => String(n));
  const { admitted, begun, clock, turn } = queue(1, String, {
    heldBack: new Set(origins),
    besideProxy: new Set(["998", "999"]),
  });
  for (let item = 0; item < 1000; item++) admitted.add(item);
  for (let n = 0; n < 5; n++) turn();
  clock.advance(100);
  turn();
  expect(begun.indexOf(998)).toBeGreaterThanOrEqual(0);
  expect(begun.indexOf(999)).toBeGreaterThanOrEqual(0);
});

test("addresses that have a proxy as well get more than others, and both together no more than fourteen a second", () => {
  const { admitted, begun, clock, turn, finish } = queue(1, (item) => (item < 1000 ? "shared" : "bad"), {
    heldBack: new Set(["shared", "bad"]),
    besideProxy: new Set(["shared"]),
  });
  for (let item = 0; item < 2000; item++) admitted.add(item);
  for (let n = 0; n < 1000; n++) {
    turn();
    finish(admitted.underWay);
    clock.advance(10);
  }
  const shared = begun.filter((item) => item < 1000).length;
  // Five of each kind at once, then half of the four for all and ten of its own.
  expect([shared, begun.length - shared].map((count) => Math.round(count / 10))).toEqual([13, 2]);
});

test("thousands that were all held back, and are all mended, are let in within seconds", () => {
  const { admitted, begun, clock, turn, finish } = queue(1, String, {
    heldBack: new Set(Array.from({ length: 5000 }, (_, n) => String(n))),
  });
  for (let item = 0; item < 5000; item++) admitted.add(item);
  let proven = 0;
  let ms = 0;
  for (; begun.length < 5000 && ms < 60_000; ms += 20) {
    turn();
    finish(admitted.underWay);
    for (; proven < begun.length; proven++) admitted.proven(String(begun[proven]), true);
    clock.advance(20);
  }
  expect(ms).toBeLessThan(30_000);
});

test("once a proxy at an address has proven itself, the others there wait like everybody", () => {
  const heldBack = new Set(BAD);
  const { admitted, begun, turn, finish } = queue(1, badUpTo(500), { heldBack });
  for (let item = 0; item < 500; item++) admitted.add(item);
  turn();
  heldBack.delete("bad");
  admitted.proven("bad", true);
  expect(admitted.heldBack).toBe(0);
  for (let n = 0; n < 200; n++) {
    turn();
    finish(admitted.underWay);
  }
  expect(begun).toHaveLength(500);
});
