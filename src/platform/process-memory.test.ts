import v8 from "node:v8";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { skipOnDeno } from "../../test/support/needs.ts";
import {
  beginWithYoungHeap,
  controlPlaneEnvironment,
  countOuterMemoryInHeapLimit,
  heapFlags,
} from "./process-memory.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe("the young generation", () => {
  beforeEach((context) => skipOnDeno(context, "flags of Node"));

  const begun = () => {
    const execve = vi.spyOn(process, "execve").mockReturnValue(undefined as never);
    beginWithYoungHeap();
    return execve.mock.calls.map(([, flags]) => flags?.filter((flag) => flag.includes("semi-space")));
  };

  test("is bounded where nobody said anything of it, less with threads than without", () => {
    vi.stubEnv("NODE_OPTIONS", "");
    expect([heapFlags(0), heapFlags(1)]).toEqual([["--max-semi-space-size=1"], ["--max-semi-space-size=8"]]);
    expect(begun()).toEqual([["--max-semi-space-size=8"]]);
  });

  test.each(["--max-semi-space-size=64", "--max_semi_space_size=64", "--min-semi-space-size=16"])(
    "stays as the environment has it: %s",
    (option) => {
      vi.stubEnv("NODE_OPTIONS", option);
      expect([heapFlags(0), heapFlags(1)]).toEqual([[], []]);
      expect(begun()).toEqual([]);
    },
  );

  test("is not worth a start that Node's permissions forbid", () => {
    vi.stubEnv("NODE_OPTIONS", "");
    Object.defineProperty(process, "permission", { configurable: true, value: { has: () => false } });
    try {
      expect(begun()).toEqual([]);
    } finally {
      Reflect.deleteProperty(process, "permission");
    }
  });
});

describe("huge pages for what malloc gives out", () => {
  const asked = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

  test("are asked for with threads, and not where a small process is wanted or the environment says otherwise", () => {
    expect(controlPlaneEnvironment(1, {})).toMatchObject(asked);
    expect(controlPlaneEnvironment(0, {})).not.toHaveProperty("GLIBC_TUNABLES");
    const chosen = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=0" };
    expect(controlPlaneEnvironment(1, chosen)).toMatchObject(chosen);
  });

  test("are had by a control plane without pods, which nobody else could give them", (context) => {
    skipOnDeno(context, "flags of Node");
    vi.stubEnv("NODE_OPTIONS", "");
    vi.stubEnv("GLIBC_TUNABLES", undefined);
    const execve = vi.spyOn(process, "execve").mockReturnValue(undefined as never);
    beginWithYoungHeap();
    expect(execve.mock.calls.map(([, , environment]) => environment)).toMatchObject([
      { ...asked, MALLOC_ARENA_MAX: "2" },
    ]);
  });
});

test.each([
  { version: "14.6.202.34-node.34", heapMiB: 2048, flags: [["--external-memory-accounted-in-global-limit"]] },
  { version: "14.6.202.34-node.34", heapMiB: 512, flags: [] },
  { version: "12.4.254.21-node.57", heapMiB: 2048, flags: [] },
])(
  "V8 $version with a heap of $heapMiB MiB is told that connections are no reason to look through it, or not",
  (given) => {
    const told = vi.spyOn(v8, "setFlagsFromString").mockReturnValue(undefined);
    vi.spyOn(process, "versions", "get").mockReturnValue({ ...process.versions, v8: given.version });
    vi.spyOn(v8, "getHeapStatistics").mockReturnValue({
      ...v8.getHeapStatistics(),
      heap_size_limit: given.heapMiB * 2 ** 20,
    });
    countOuterMemoryInHeapLimit();
    expect(told.mock.calls).toEqual("Deno" in globalThis ? [] : given.flags);
  },
);
