import { afterEach, expect, test, vi } from "vitest";
import { skipOnDeno } from "../test/support/needs.ts";
import { nodeFlagsOf } from "./control-plane.ts";
import { INSPECT } from "./process-probe.ts";

afterEach(() => vi.unstubAllEnvs());

test("a control plane that is looked into has the heap that it gives itself elsewhere", (context) => {
  skipOnDeno(context, "flags of Node");
  vi.stubEnv("NODE_OPTIONS", "");
  expect(nodeFlagsOf([INSPECT])).toEqual(["--max-semi-space-size=8", INSPECT]);
  expect(nodeFlagsOf([INSPECT, "--max-semi-space-size=1"]).at(-1)).toBe("--max-semi-space-size=1");
  expect(nodeFlagsOf([])).toEqual([]);
  vi.stubEnv("NODE_OPTIONS", "--max-semi-space-size=1");
  expect(nodeFlagsOf([INSPECT])).toEqual([INSPECT]);
});
