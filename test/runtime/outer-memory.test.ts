import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { nodes } from "../support/nodes.ts";

/** Older V8s cannot be told. */
const TOLD_SINCE = 13;
const settings = new URL("../../src/platform/process-memory.ts", import.meta.url).href;

/** Takes 1.2 GiB outside the heap, as the connections of a full server do; says how often V8 looks through all of the heap. */
const GROW = `
import { constants, PerformanceObserver } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { countOuterMemoryInHeapLimit } from ${JSON.stringify(settings)};
if (process.argv[1] === "told") countOuterMemoryInHeapLimit();
let looks = 0;
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) looks++;
});
observer.observe({ entryTypes: ["gc"] });
const held = [];
while (held.length < 1200) {
  held.push(new ArrayBuffer(2 ** 20));
  if (held.length % 10 === 0) await nextTurn();
}
await nextTurn();
console.log(JSON.stringify({ v8: Number.parseInt(process.versions.v8, 10), looks }));
`;

function grow(node: string, ...args: string[]) {
  const flags = ["--max-old-space-size=4096", "--input-type=module", "--eval", GROW];
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { status, stdout, stderr } = spawnSync(node, [...flags, ...args], { encoding: "utf8", env });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as { readonly v8: number; readonly looks: number };
}

test.each(nodes)(
  "connections that come have V8 look through its heap less often, and nothing is complained of: %s",
  (node) => {
    const told = grow(node, "told");
    if (told.v8 >= TOLD_SINCE) expect(told.looks).toBeLessThan(grow(node).looks);
  },
);
