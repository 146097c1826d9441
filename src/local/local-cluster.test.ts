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
    onRejections: () => undefined,
    onSettled: () => undefined,
  });
  cluster.accept([{ type: "reset", source: "folder", objects: [] }]);
  for (let second = 0; second < 5; second += 1) {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(attempts).toBe(2);
});

test("what cannot be made into pods is told when it begins and when it ends, and not in between", () => {
  const told: string[][] = [];
  const cluster = localCluster({
    pods: () => noPods,
    clusterDomain: "cluster.local",
    fixedServices: [],
    clock: manualClock(),
    log: silentLog(),
    publish: () => undefined,
    replaceZone: () => undefined,
    replaceRules: () => Promise.resolve(),
    onRejections: (rejections) => told.push(rejections.map(({ kind, name }) => `${kind} ${name}`)),
    onSettled: () => undefined,
  });
  const misnamed = { apiVersion: "v1", kind: "Pod", metadata: { name: "../web", namespace: "shop" }, spec: {} };
  const fine = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
  cluster.accept([{ type: "reset", source: "folder", objects: [{ object: misnamed }] }]);
  cluster.accept([{ type: "apply", source: "folder", object: fine }]);
  cluster.accept([{ type: "delete", source: "folder", kind: "Pod", namespace: "shop", name: "../web" }]);
  expect(told).toEqual([["Pod ../web"], []]);
});
