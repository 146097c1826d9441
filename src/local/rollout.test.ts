import { describe, expect, test } from "vitest";
import type { KubeObject } from "../kube/objects.ts";
import type { RunningPod } from "./rollout.ts";
import { planRollout } from "./rollout.ts";
import type { Workload } from "./workloads.ts";
import { readWorkload } from "./workloads.ts";

function workload(kind: string, spec: object, image = "app:1"): Workload {
  const containers = [{ name: "app", image }];
  const full = kind === "Pod" ? { containers } : { ...spec, template: { spec: { containers } } };
  const object: KubeObject = { apiVersion: "apps/v1", kind, metadata: { name: "web", namespace: "shop" }, spec: full };
  const { workload: read } = readWorkload(object);
  if (read === undefined) throw new Error(`not a workload: ${kind}`);
  return read;
}

interface Trace {
  pods: RunningPod[];
  /** Names of the pods that were ready, after each round. */
  readonly ready: string[][];
}

/**
 * Plays the kubelet until nothing is left to do. A pod that goes takes a round; pods become ready one a round, and only
 * when the plan has nothing more to do, so that every wrong step shows.
 */
function settle(wanted: Workload, pods: RunningPod[], end: Partial<RunningPod> = { phase: "Running", isReady: true }) {
  const trace: Trace = { pods, ready: [] };
  for (let round = 0; round < 60; round++) {
    const step = planRollout(wanted, trace.pods);
    const starting = trace.pods.find(({ phase, isTerminating }) => phase === "Pending" && !isTerminating);
    const isStill = step.create.length + step.remove.length === 0 && !trace.pods.some((pod) => pod.isTerminating);
    if (isStill && starting === undefined) return trace;
    const created = step.create.map(
      (name): RunningPod => ({
        name,
        templateHash: wanted.templateHash,
        phase: "Pending",
        isReady: false,
        isTerminating: false,
      }),
    );
    const left = trace.pods
      .filter(({ isTerminating }) => !isTerminating)
      .map((pod) => (pod === starting && isStill ? { ...pod, ...end } : pod))
      .map((pod) => (step.remove.includes(pod.name) ? { ...pod, isTerminating: true, isReady: false } : pod));
    trace.pods = [...left, ...created];
    trace.ready.push(trace.pods.filter(({ isReady }) => isReady).map(({ name }) => name));
  }
  throw new Error(`still busy: ${JSON.stringify(trace.pods)}`);
}

const names = ({ pods }: Trace) => pods.map(({ name }) => name).sort();
const hashes = ({ pods }: Trace) => [...new Set(pods.map(({ templateHash }) => templateHash))];

describe("a Deployment", () => {
  test("has pods named as Kubernetes names them, the same after a restart", () => {
    const wanted = workload("Deployment", { replicas: 3 });
    const first = settle(wanted, []);
    for (const name of names(first)) expect(name).toMatch(/^web-[a-z0-9]{10}-[a-z0-9]{5}$/);
    expect(names(settle(wanted, []))).toEqual(names(first));
  });

  test.each([1, 2, 3])("of %i is never short of ready pods while it is replaced", (replicas) => {
    const before = settle(workload("Deployment", { replicas }), []);
    const next = workload("Deployment", { replicas }, "app:2");
    const after = settle(next, before.pods);
    expect(hashes(after)).toEqual([next.templateHash]);
    expect(after.pods).toHaveLength(replicas);
    expect(Math.min(...after.ready.map((ready) => ready.length))).toBeGreaterThanOrEqual(replicas);
  });

  test("keeps the old pods while the new ones do not become ready", () => {
    const before = settle(workload("Deployment", { replicas: 2 }), []);
    const broken = workload("Deployment", { replicas: 2 }, "app:broken");
    const during = settle(broken, before.pods, { phase: "Running" });
    expect(during.pods.filter(({ isReady }) => isReady)).toHaveLength(2);
  });

  test("keeps the names of its pods when it is scaled", () => {
    const two = settle(workload("Deployment", { replicas: 2 }), []);
    const three = settle(workload("Deployment", { replicas: 3 }), two.pods);
    expect(names(three)).toEqual(expect.arrayContaining(names(two)));
    expect(new Set(names(three)).size).toBe(3);
    expect(settle(workload("Deployment", { replicas: 0 }), three.pods).pods).toEqual([]);
  });

  test("of strategy Recreate never runs two versions at once", () => {
    const strategy = { type: "Recreate" };
    const before = settle(workload("Deployment", { replicas: 2, strategy }), []);
    const next = workload("Deployment", { replicas: 2, strategy }, "app:2");
    const first = planRollout(next, before.pods);
    expect([first.create, [...first.remove].sort()]).toEqual([[], names(before)]);
    expect(hashes(settle(next, before.pods))).toEqual([next.templateHash]);
  });
});

describe("a StatefulSet", () => {
  test("starts its pods in order, each when the one before is ready", () => {
    const { ready } = settle(workload("StatefulSet", { replicas: 3 }), []);
    const order = ["web-0", "web-1", "web-2"];
    for (const round of ready) expect(round).toEqual(order.slice(0, round.length));
  });

  test("is replaced one by one, from the last, under the same names", () => {
    const before = settle(workload("StatefulSet", { replicas: 3 }), []);
    const next = workload("StatefulSet", { replicas: 3 }, "app:2");
    expect(planRollout(next, before.pods).remove).toEqual(["web-2"]);
    const after = settle(next, before.pods);
    expect(hashes(after)).toEqual([next.templateHash]);
    expect(names(after)).toEqual(["web-0", "web-1", "web-2"]);
    expect(Math.min(...after.ready.map((ready) => ready.length))).toBe(2);
  });

  test("gets over a broken template once it is repaired", () => {
    const before = settle(workload("StatefulSet", { replicas: 2 }), []);
    const broken = workload("StatefulSet", { replicas: 2 }, "app:broken");
    const during = settle(broken, before.pods, { phase: "Running" });
    expect(during.pods.filter(({ isReady }) => isReady).map(({ name }) => name)).toEqual(["web-0"]);
    const repaired = workload("StatefulSet", { replicas: 2 }, "app:3");
    expect(hashes(settle(repaired, during.pods))).toEqual([repaired.templateHash]);
  });

  test("that starts in parallel is repaired although a pod before the last is broken", () => {
    const podManagementPolicy = "Parallel";
    const { pods } = settle(workload("StatefulSet", { replicas: 3, podManagementPolicy }), []);
    const broken = pods.map((pod) => (pod.name === "web-1" ? { ...pod, isReady: false } : pod));
    const repaired = workload("StatefulSet", { replicas: 3, podManagementPolicy }, "app:2");
    expect(hashes(settle(repaired, broken))).toEqual([repaired.templateHash]);
  });

  test("loses its last pods first when it is scaled down", () => {
    const before = settle(workload("StatefulSet", { replicas: 3 }), []);
    expect(names(settle(workload("StatefulSet", { replicas: 1 }), before.pods))).toEqual(["web-0"]);
  });
});

describe("a Job", () => {
  const done = { phase: "Succeeded", isReady: false } as const;

  test("that has succeeded is not run again, until it is changed", () => {
    const finished = settle(workload("Job", {}), [], done);
    expect(finished.pods).toMatchObject([{ phase: "Succeeded" }]);
    const changed = workload("Job", {}, "app:2");
    expect(hashes(settle(changed, finished.pods, done))).toEqual([changed.templateHash]);
  });

  test("runs as many pods as asked for, so many at a time", () => {
    const wanted = workload("Job", { completions: 5, parallelism: 2 });
    expect(planRollout(wanted, []).create).toHaveLength(2);
    expect(settle(wanted, [], done).pods).toHaveLength(5);
  });

  test("that fails waits longer each time and gives up", () => {
    const wanted = workload("Job", { backoffLimit: 2 });
    const failed = settle(wanted, [], { phase: "Failed" });
    expect(failed.pods).toHaveLength(3);
    const delay = (count: number) => planRollout(wanted, failed.pods.slice(0, count)).createDelaySeconds;
    expect([delay(0), delay(1), delay(2)]).toEqual([0, 10, 20]);
  });
});

test("a Pod of its own keeps its name, and is replaced when it is edited", () => {
  const before = settle(workload("Pod", {}), []);
  expect(names(before)).toEqual(["web"]);
  const next = workload("Pod", {}, "app:2");
  expect(planRollout(next, before.pods)).toMatchObject({ create: [], remove: ["web"] });
  expect(settle(next, before.pods).pods).toMatchObject([{ name: "web", templateHash: next.templateHash }]);
});
