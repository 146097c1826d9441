import { expect, test } from "vitest";
import { manualClock, silentLog } from "../lib/mod.ts";
import { localCluster } from "./local-cluster.ts";
import type { PodSet } from "./pod-set.ts";

const noPods: PodSet = {
  setWorkloads: () => undefined,
  reconcile: () => undefined,
  pods: () => [],
  isSettled: () => true,
  stop: () => Promise.resolve(),
};

test("cluster IPs are tried again when the kernel did not take their rules", async () => {
  const clock = manualClock();
  let attempts = 0;
  const cluster = localCluster({
    pods: () => noPods,
    clusterDomain: "cluster.local",
    fixedServices: [],
    clock,
    log: silentLog(),
    publish: () => undefined,
    replaceZone: () => undefined,
    replaceRules: () => {
      attempts += 1;
      return attempts === 1 ? Promise.reject(new Error("held by another program")) : Promise.resolve();
    },
    onSettled: () => undefined,
  });
  cluster.accept([{ type: "reset", source: "folder", objects: [] }]);
  for (let second = 0; second < 5; second += 1) {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(attempts).toBe(2);
});
