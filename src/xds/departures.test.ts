import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { type DepartingSocket, Departures } from "./departures.ts";

/** A socket that closes as soon as it is told to. */
class FakeSocket extends EventEmitter implements DepartingSocket {
  allowHalfOpen = false;
  destroyed = false;
  closings = 0;
  destroySoon() {
    this.closings += 1;
    this.destroyed = true;
  }
  frees = 0;
  _destroy(_error: Error | null, callback: (error?: Error | null) => void) {
    this.frees += 1;
    callback();
  }
}

test("when a node of the cluster ends, its proxies' connections close a few in each turn, and all of them do", () => {
  const turns: (() => void)[] = [];
  const departures = new Departures((action) => turns.push(action));
  const sockets = Array.from({ length: 200 }, () => new FakeSocket());
  for (const socket of sockets) departures.watch(socket);
  for (const socket of sockets) socket.emit("end");
  // One broke off while it waited.
  const [first] = sockets;
  if (first !== undefined) first.destroyed = true;
  const closedIn: number[] = [];
  const closed = () => sockets.reduce((sum, { closings }) => sum + closings, 0);
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    const before = closed();
    turn();
    closedIn.push(closed() - before);
    expect(turns.length).toBeLessThanOrEqual(1);
  }
  expect(Math.max(...closedIn)).toBeLessThan(50);
  expect([closed(), first?.closings]).toEqual([199, 0]);

  const late = new FakeSocket();
  departures.watch(late);
  late.emit("end");
  turns.shift()?.();
  expect(late.closings).toBe(1);
});

test("when all that a node carried is reset at once, connections are freed a few in each turn, in order, and all of them are", () => {
  const turns: (() => void)[] = [];
  const departures = new Departures((action) => turns.push(action));
  const sockets = Array.from({ length: 200 }, () => new FakeSocket());
  const gone: FakeSocket[] = [];
  for (const socket of sockets) departures.watch(socket);
  for (const socket of sockets) socket._destroy(null, () => gone.push(socket));
  expect(gone).toHaveLength(48);
  // One whose turn it would be now if it had a turn of its own.
  const late = new FakeSocket();
  departures.watch(late);
  late.emit("end");
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    const before = gone.length;
    turn();
    expect(gone.length - before).toBeLessThanOrEqual(48);
    expect(turns.length).toBeLessThanOrEqual(1);
  }
  expect(gone).toEqual(sockets);
  expect(late.closings).toBe(1);

  // A single one does not wait.
  late._destroy(null, () => gone.push(late));
  expect(gone.at(-1)).toBe(late);
});

test("a connection that cannot be freed fails alone: those behind it are freed, and nothing is thrown at the process", () => {
  const turns: (() => void)[] = [];
  const departures = new Departures((action) => turns.push(action));
  const ended: unknown[] = [];
  const closing = (socket: FakeSocket) => {
    departures.watch(socket);
    socket._destroy(null, (error) => ended.push(error));
  };
  for (let n = 0; n < 48; n++) closing(new FakeSocket());
  const failure = new Error("its handle is gone");
  closing(
    Object.assign(new FakeSocket(), {
      _destroy: () => {
        throw failure;
      },
    }),
  );
  closing(new FakeSocket());
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  expect(ended.slice(48)).toEqual([failure, undefined]);
});
