import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../lib/mod.ts";
import type { OperationStep } from "./action-plan.ts";
import type { Fleet, FleetCounts, Opened } from "./fleet-api.ts";
import type { PhaseContext } from "./run-context.ts";
import { runPhase } from "./run-phase.ts";
import { RunProxies } from "./run-proxies.ts";
import { namedShape, type Shape } from "./shape.ts";
import { World } from "./world.ts";

/** Long due, so that nothing is waited for between two of them. */
const restart: OperationStep = { kind: "operation", atMs: -1000, action: { kind: "restart", atMs: 0, replica: 0 } };

/** A phase of two restarts of the first of two replicas, which has a proxy. */
function restarts(given: { readonly restart: PhaseContext["restart"]; readonly warm: () => Promise<Opened> }) {
  const fleet: Partial<Fleet> = {
    places: async () => [[0], []],
    counts: async () => ({ responses: 0, resources: 0, bytes: 0, warmingTimeouts: 0 }) as FleetCounts,
    usage: async () => [],
    warm: given.warm,
  };
  const world = new World(namedShape("W1") as Shape);
  const context: Partial<PhaseContext> = {
    world,
    fleet: fleet as Fleet,
    proxies: new RunProxies(world, [0], { size: 1, seed: 1 }),
    clock: systemClock(),
    patienceMs: 1000,
    replicas: 2,
    figures: async () => ({}) as Awaited<ReturnType<PhaseContext["figures"]>>,
    restart: given.restart,
    progress: () => undefined,
    signal: new AbortController().signal,
  };
  return runPhase({ name: "restarts", steps: [restart, restart], lengthMs: 0 }, context as PhaseContext);
}

test("a replica is restarted again only when it is back", async () => {
  let running = 0;
  const most: number[] = [];
  const opened: Opened = {
    firstMs: 1,
    allMs: 1,
    perProxyMs: new Float64Array([1]),
    proxies: new Uint32Array(1),
    missing: [],
    responses: 0,
    resources: 0,
    repeated: 0,
    bytes: 0,
    handshakes: 1,
    resumed: 1,
  };
  const report = await restarts({
    async restart() {
      most.push(++running);
      await nextTurn();
      running -= 1;
      return 1;
    },
    warm: async () => opened,
  });
  expect(most).toEqual([1, 1]);
  expect(report.opened?.proxies).toBe(2);
});

test("a replica that does not come back is the reason that is told, whatever its proxies' wait ends with", async () => {
  const { promise: wait, reject: giveUp } = Promise.withResolvers<Opened>();
  const run = restarts({ restart: () => Promise.reject(new Error("did not start")), warm: () => wait });
  await expect(run).rejects.toThrow("did not start");
  giveUp(new Error("the fleet is gone"));
  // An error that nobody takes fails the test run here.
  await nextTurn();
});
