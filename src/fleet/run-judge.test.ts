import { expect, test } from "vitest";
import type { FolderFeed } from "./feed.ts";
import type { Fleet, FleetCounts, Opened } from "./fleet-api.ts";
import { ProxyCounts } from "./proxy-counts.ts";
import type { PhaseContext } from "./run-context.ts";
import { judge } from "./run-judge.ts";
import { RunProxies } from "./run-proxies.ts";
import { libraryScenario } from "./scenario-library.ts";
import { World } from "./world.ts";

test("what a server does wrong to the fresh clients of the oracle alone fails the run too", async () => {
  const scenario = libraryScenario("smoke");
  const world = new World(scenario.shape);
  const counts: { -readonly [Key in keyof FleetCounts]: FleetCounts[Key] } = new ProxyCounts().snapshot();
  const judged = async (onFresh: () => void) => {
    const fleet: Partial<Fleet> = {
      counts: async () => counts,
      tables: async () => [],
      async reopen() {
        onFresh();
        return { missing: [] as readonly number[] } as Opened;
      },
    };
    const proxies = new RunProxies(world, [], { size: 0, seed: 1 });
    const context: Partial<PhaseContext> = {
      world,
      fleet: fleet as Fleet,
      proxies,
      patienceMs: 1,
      feed: {} as FolderFeed,
    };
    return await judge(context as PhaseContext, { scenario, reports: [] });
  };
  expect((await judged(() => {})).differences).toEqual([]);
  const late = await judged(() => {
    counts.unrequested = 3;
    counts.errors = { refused: 1 };
    counts.errorExamples = { refused: "a resource of another type" };
  });
  expect(late.isPassed).toBe(false);
  expect(late.differences).toEqual([
    "1 error of kind refused: a resource of another type",
    "3 resources were sent that nobody had asked for",
  ]);
});
