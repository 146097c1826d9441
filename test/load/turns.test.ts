/**
 * Nothing on the control plane's main thread takes longer than it may. In processor time of that thread, and of the longest
 * turn but one: other programs of the machine lengthen neither.
 */
import { expect, test } from "vitest";
import { longestButOne, loopTurns, SCOPED, startTurns } from "../../bench/loop-turns.ts";
import type { Shape } from "../../src/fleet/shape.ts";

const TURN_MAX_MS = 50;

test("neither a cold start, nor reconnects, nor a global flip keeps the main thread for 50 ms at a stretch", async () => {
  const { coldStart, reconnects, flips } = await loopTurns(SCOPED);
  expect(longestButOne(coldStart), "the cold start").toBeLessThan(TURN_MAX_MS);
  expect(longestButOne(reconnects), "the reconnects").toBeLessThan(TURN_MAX_MS);
  expect(longestButOne(flips), "the flips").toBeLessThan(TURN_MAX_MS);
});

/** Ten thousand pods in twelve thousand files. */
const FILES: Shape = {
  services: 1000,
  pods: 10,
  namespaces: 100,
  mode: "smi",
  calls: { kind: "groups", size: 10 },
  splits: 0,
  seed: 1,
};

test("a start on a folder of thousands of files does not keep the main thread for 50 ms at a stretch", async () => {
  expect(longestButOne(await startTurns(FILES))).toBeLessThan(TURN_MAX_MS);
});

/** Works for 80 ms on each MeshConfig that is read. */
const PLANTED = `
const parse = JSON.parse;
JSON.parse = (text, reviver) => {
  const worked = () => { const { user, system } = (process.threadCpuUsage ?? process.cpuUsage)(); return (user + system) / 1000; };
  const before = worked();
  if (String(text).includes('"kind":"MeshConfig"')) while (worked() - before < 80);
  return parse(text, reviver);
};
`;

const PLANTING = ["--import", `data:text/javascript,${encodeURIComponent(PLANTED)}`];

test("long work for each change of the mesh's configuration is found", async () => {
  const { flips } = await loopTurns(SCOPED, PLANTING);
  expect(longestButOne(flips)).toBeGreaterThan(TURN_MAX_MS);
});

test("long work at the start is found", async () => {
  expect(longestButOne(await startTurns(SCOPED, PLANTING))).toBeGreaterThan(TURN_MAX_MS);
});
