import { expect, test } from "vitest";
import { faultsOf, type SoakResult } from "./soak.ts";

const looks = [0, 1, 2].map((n) => ({
  seconds: 100 * n,
  changes: 1000 * n,
  keptBytes: 1e7,
  workerBytes: 1e7 + 6000 * n,
  engineBytes: 1e7 + 1e6 * n,
}));
const result: SoakResult = {
  changes: 2000,
  reconnects: 0,
  looks,
  grown: [],
  workersGrown: ["object Kept"],
  timersGained: 0,
  resourcesBefore: {},
  resourcesAfter: {},
  streamsLeft: 0,
  repeated: 0,
  refused: 0,
  errors: {},
};

test("what worker threads keep is a leak as well; what the engine compiles is none", () => {
  expect(faultsOf(result, { keptBytes: 50, per: "seconds" })).toEqual([
    "the heaps of the workers grow by 60 bytes for each of the seconds, more than 50 (10000000,10006000,10012000):\n  object Kept",
  ]);
  expect(faultsOf(result, { keptBytes: 60, per: "changes" })).toEqual([]);
});
