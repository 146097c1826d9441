import { expect, test } from "vitest";
import { PendingConnections } from "./pending-connections.ts";

test("who floods loses their own ones, oldest first, and one who is alone is the last to go", () => {
  const pending = new PendingConnections<string>();
  for (const item of ["a1", "b1", "a2", "a3", "c1", "a4", "b2"]) pending.add(item, item.slice(0, 1));
  pending.remove("a2");
  pending.remove("a2");
  const taken = Array.from({ length: 6 }, () => pending.takeOldestOfMost());
  expect(taken).toEqual(["a1", "b1", "a3", "c1", "b2", "a4"]);
  expect([pending.size, pending.takeOldestOfMost()]).toEqual([0, undefined]);
});

test("whoever comes, leaves and is taken out, the next is the oldest of an origin with the most", () => {
  const pending = new PendingConnections<number>();
  const lines = new Map<string, number[]>();
  for (let item = 0; item < 3_000; item++) {
    // Some origins bring far more than others; in turns there are more that come, and more that go.
    const name = String(Math.floor(Math.sqrt((item * 7919) % 400)));
    lines.set(name, [...(lines.get(name) ?? []), item]);
    pending.add(item, name);
    const gone = ((item * 40_503) % 65_536) % (item + 1);
    pending.remove(gone);
    for (const [origin, line] of lines)
      lines.set(
        origin,
        line.filter((other) => other !== gone),
      );
    for (let n = 0; n < Math.floor(item / 300) % 3; n++) {
      const taken = pending.takeOldestOfMost();
      const most = Math.max(...[...lines.values()].map((line) => line.length));
      const origin = [...lines].find(([, line]) => line.length === most && line[0] === taken)?.[0];
      if (most > 0) expect(origin, `after ${item}`).toBeDefined();
      else expect(taken).toBeUndefined();
      if (origin !== undefined) lines.get(origin)?.shift();
    }
    expect(pending.size).toBe([...lines.values()].flat().length);
  }
});
