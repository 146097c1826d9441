import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { ConnectionTeardown } from "./connection-teardown.ts";

/** A socket that closes as soon as it is told to. */
class FakeSocket extends Duplex {
  closings = 0;
  frees = 0;
  constructor(free?: () => void) {
    super({ read: () => undefined, write: (_chunk, _encoding, done) => done(), allowHalfOpen: false });
    this.#free = free;
    this.resume();
  }
  readonly #free: (() => void) | undefined;
  destroySoon() {
    this.closings += 1;
    this.destroy();
  }
  override _destroy(error: Error | null, callback: (error?: Error | null) => void) {
    this.frees += 1;
    this.#free?.();
    callback(error);
  }
}

function openTeardown() {
  const turns: (() => void)[] = [];
  const teardown = new ConnectionTeardown((action) => turns.push(action));
  /** Has all turns that are due, one after the other; `each` is called after each of them. */
  const haveTurns = async (each?: () => void) => {
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
      expect(turns.length).toBeLessThanOrEqual(1);
      each?.();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const socket = (free?: () => void) => {
    const opened = new FakeSocket(free);
    teardown.watch(opened);
    return opened;
  };
  return { teardown, haveTurns, socket };
}

/** How many more there were each time that the returned function was called. */
function growth(count: () => number) {
  const grown: number[] = [];
  let before = count();
  const note = () => {
    grown.push(count() - before);
    before = count();
  };
  return { grown, note };
}

test("when a node of the cluster ends, its proxies' connections hear of it and close a few in each turn, and all of them do", async () => {
  const { teardown, haveTurns, socket } = openTeardown();
  const sockets = Array.from({ length: 200 }, () => socket());
  let heard = 0;
  for (const each of sockets) {
    each.once("end", () => void heard++);
    teardown.end(each, each.push);
  }
  // One broke off while it waited.
  const [first] = sockets;
  first?.destroy();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(heard).toBe(0);
  const closed = () => sockets.reduce((sum, { closings }) => sum + closings, 0);
  const closing = growth(closed);
  const hearing = growth(() => heard);
  await haveTurns(() => {
    closing.note();
    hearing.note();
  });
  expect(Math.max(...closing.grown, ...hearing.grown)).toBeLessThan(50);
  expect([closed(), heard, first?.closings]).toEqual([199, 199, 0]);
  expect(sockets.every(({ frees }) => frees === 1)).toBe(true);

  const late = socket();
  teardown.end(late, late.push);
  await haveTurns();
  expect(late.closings).toBe(1);
});

test("when all that a node carried is reset at once, connections are freed a few in each turn, in order, and all of them are", async () => {
  const { teardown, haveTurns, socket } = openTeardown();
  const gone: FakeSocket[] = [];
  const failed: Error[] = [];
  const sockets = Array.from({ length: 200 }, () => {
    const opened = socket(() => gone.push(opened));
    return opened.on("error", (error) => failed.push(error));
  });
  const reset = new Error("read ECONNRESET");
  for (const each of sockets) each.destroy(reset);
  expect(gone).toHaveLength(48);
  // Once more, while it waits.
  for (const each of sockets) each.destroy();
  // One whose turn it would be now if it had a turn of its own.
  const late = socket();
  teardown.end(late, late.push);
  const freeing = growth(() => gone.length);
  await haveTurns(freeing.note);
  expect(Math.max(...freeing.grown)).toBeLessThanOrEqual(48);
  expect(gone).toEqual(sockets);
  expect(failed).toEqual(sockets.map(() => reset));
  expect(late.closings).toBe(1);

  // A single one does not wait.
  const single = socket();
  single.destroy();
  expect(single.frees).toBe(1);
});

test("a connection that cannot be freed fails alone: those behind it are freed, and nothing is thrown at the process", async () => {
  const { haveTurns, socket } = openTeardown();
  for (let n = 0; n < 48; n++) socket().destroy();
  const failure = new Error("its handle is gone");
  const errors: Error[] = [];
  const failing = socket(() => {
    throw failure;
  });
  failing.on("error", (error) => errors.push(error));
  failing.destroy();
  const behind = socket();
  behind.destroy();
  await haveTurns();
  expect([errors, behind.frees]).toEqual([[failure], 1]);
});
