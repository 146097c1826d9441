import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../lib/mod.ts";
import type { ChangeStep } from "./action-changes.ts";
import type { OperationStep } from "./action-plan.ts";
import type { FolderFeed } from "./feed.ts";
import type { Fleet, FleetCounts, Opened } from "./fleet-api.ts";
import type { PhaseContext } from "./run-context.ts";
import { runPhase } from "./run-phase.ts";
import { RunProxies } from "./run-proxies.ts";
import { namedShape, type Shape } from "./shape.ts";
import { World } from "./world.ts";

/** Long due, so that nothing is waited for between two of them. */
const restart: OperationStep = { kind: "operation", atMs: -1000, action: { kind: "restart", atMs: 0, replica: 0 } };

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

/** What a phase acts on: a fleet that does what is given, with a proxy for each id. */
function contextOf(given: Partial<Fleet>, ids: readonly number[], further: Partial<PhaseContext>): PhaseContext {
  const fleet: Partial<Fleet> = {
    counts: async () => ({ responses: 0, resources: 0, bytes: 0, warmingTimeouts: 0 }) as FleetCounts,
    usage: async () => [],
    ...given,
  };
  const world = new World(namedShape("W1") as Shape);
  const context: Partial<PhaseContext> = {
    world,
    fleet: fleet as Fleet,
    proxies: new RunProxies(world, ids, { size: ids.length, seed: 1 }),
    clock: systemClock(),
    patienceMs: 1000,
    replicas: 1,
    figures: async () => ({}) as Awaited<ReturnType<PhaseContext["figures"]>>,
    progress: () => undefined,
    signal: new AbortController().signal,
    ...further,
  };
  return context as PhaseContext;
}

/** A phase of two restarts of the first of two replicas, which has a proxy. */
function restarts(given: { readonly restart: PhaseContext["restart"]; readonly warm: () => Promise<Opened> }) {
  const fleet = { places: async () => [[0], []], warm: given.warm };
  const context = contextOf(fleet, [0], { replicas: 2, restart: given.restart });
  return runPhase({ name: "restarts", steps: [restart, restart], lengthMs: 0 }, context);
}

test("a replica is restarted again only when it is back", async () => {
  let running = 0;
  const most: number[] = [];
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

test("proxies that are replaced come once, those that were ill too", async () => {
  const ids = [0, 1, 2];
  const connected = new Set(ids);
  const openings: number[] = [];
  const fleet: Partial<Fleet> = {
    disconnect: async (some = ids) => some.forEach((id) => void connected.delete(id)),
    // One that is connected and ill comes back on a stream of its own.
    setBehaviour: async (some) => void openings.push(...some.filter((id) => connected.has(id))),
    async reopen({ ids: some = ids } = {}) {
      openings.push(...some);
      return opened;
    },
  };
  const feed: Partial<FolderFeed> = { prepare: () => ({ commit: () => 0n }) };
  const context = contextOf(fleet, ids, { feed: feed as FolderFeed });
  context.proxies.setHealth([1, 2], false);
  const effect = { files: [], signs: [], isComplete: true, restarted: [0, 1, 2] };
  const step: ChangeStep = { kind: "change", action: "rolling-update", atMs: -1000, apply: () => effect };
  await runPhase({ name: "rolling update", steps: [step], lengthMs: 0 }, context);
  expect(openings).toEqual([0, 1, 2]);
  expect(context.proxies.isAllHealthy).toBe(true);
});
