import { expect, test } from "vitest";
import { jsonLog, systemClock } from "../lib/mod.ts";
import type { MeshSnapshot } from "../mesh/mod.ts";
import { tableUpdater } from "./table-update.ts";
import type { Part } from "./workload.ts";
import type { WorkloadSet } from "./workload-set.ts";

test("a view that can never be made is logged once, not at every change of the mesh", async () => {
  const lines: string[] = [];
  const clock = systemClock();
  const log = jsonLog({ write: (line) => lines.push(line), now: () => 0, level: "error" });
  const part = { ref: { key: "shop/outbound" }, workloads: new Set([{ key: "shop" }]), isLookedAt: false };
  const parts = { all: new Map(), unsettled: new Set([part as unknown as Part]), settle: () => {} };
  const set = { parts, markFailed: () => {} } as unknown as WorkloadSet;
  const update = tableUpdater({ clock, log, resources: {} as never, secrets: {} as never }, set);
  const failing = (message: string) =>
    new Proxy({} as MeshSnapshot, {
      get() {
        throw new Error(message);
      },
    });
  const pass = (message: string) => update({ snapshot: failing(message), changes: undefined, stale: new Set() });
  for (let change = 0; change < 3; change++) await pass("this one");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("this one");
  await pass("another one");
  expect(lines).toHaveLength(2);
});
