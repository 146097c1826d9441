import {
  compareCounts,
  compareErrors,
  compareFresh,
  comparePatience,
  compareTables,
  type OracleReport,
} from "./oracle.ts";
import type { Expected } from "./oracle-comparison.ts";
import { Differences } from "./oracle-differences.ts";
import { expectations } from "./oracle-expectation.ts";
import type { PhaseReport } from "./report-result.ts";
import type { PhaseContext } from "./run-context.ts";
import type { Scenario } from "./scenario.ts";
import type { World } from "./world.ts";

/** Proxies whose table is compared with that of a fresh client. */
const FRESH_MAX = 200;

/** Kinds of trouble that a scenario makes itself. */
const TROUBLING = new Set(["restart", "drain", "reconnect", "behave", "pods-added", "pods-removed", "rolling-update"]);

/** The oracle's opinion of a run that has ended. What it has proxies open for that counts as well: it is looked at last. */
export async function judge(
  context: PhaseContext,
  { scenario, reports }: { readonly scenario: Scenario; readonly reports: readonly PhaseReport[] },
): Promise<OracleReport> {
  const isBroken = (reports[0]?.opened?.missing ?? 0) > 0;
  const content = new Differences();
  const compared =
    context.feed === undefined || isBroken
      ? { proxies: 0, resources: 0, fresh: 0 }
      : await compareContent(context, content);
  const counts = await context.fleet.counts();
  const differences = new Differences();
  for (const report of reports) {
    if (report.missing > 0) differences.add(`${report.name}: ${report.missing} deliveries did not come in time`);
    const late = report.opened?.missing ?? 0;
    if (late > 0) differences.add(`${report.name}: ${late} proxies did not get all that they asked for in time`);
  }
  const actions = scenario.phases.flatMap((phase) => phase.actions);
  const isTroubled = scenario.behaviours.length > 0 || actions.some(({ kind }) => TROUBLING.has(kind));
  compareErrors(counts, isTroubled && !isBroken, differences);
  comparePatience(reports, differences);
  compareCounts(counts, mayRefuse(scenario), differences);
  differences.append(content);
  return {
    isPassed: differences.count === 0,
    isExpectationKnown: context.feed !== undefined,
    ...compared,
    refused: counts.nacks,
    differences: differences.sentences(),
  };
}

/** Every well proxy's table with what is expected of it, and some with those of fresh clients in their place. */
async function compareContent(
  { world, fleet, proxies, patienceMs }: PhaseContext,
  differences: Differences,
): Promise<Pick<OracleReport, "proxies" | "resources" | "fresh">> {
  const expect = expectations(world);
  const expected = new Map<number, Expected>();
  for (const id of proxies.healthy()) {
    const pod = world.pod(id);
    if (pod !== undefined) expected.set(id, { name: `${pod.namespace}/${pod.name}`, expectation: expect(pod.service) });
  }
  const tables = await fleet.tables();
  const fetch = (id: number, typeUrl: string, name: string) => fleet.resource(id, typeUrl, name);
  const resources = await compareTables(tables, expected, fetch, differences);
  const ids = onePerService(world, [...expected.keys()]);
  const again = await fleet.reopen({ ids, forget: true, timeoutMs: patienceMs });
  if (again.missing.length > 0) differences.add(`${again.missing.length} fresh clients did not get all in time`);
  const isFresh = new Set(ids);
  const fresh = (await fleet.tables()).filter(({ id }) => isFresh.has(id));
  compareFresh(tables, fresh, (id) => expected.get(id)?.name ?? String(id), differences);
  return { proxies: expected.size, resources, fresh: fresh.length };
}

function mayRefuse(scenario: Scenario): boolean {
  const actions = scenario.phases.flatMap((phase) => phase.actions);
  const behaviours = [
    ...scenario.behaviours.map(({ behaviour }) => behaviour.kind),
    ...actions.map((action) => (action.kind === "behave" ? action.behaviour.kind : "normal")),
  ];
  return behaviours.includes("nack");
}

function onePerService(world: World, ids: readonly number[]): readonly number[] {
  const chosen = new Map<number, number>();
  for (const id of ids) {
    const service = world.pod(id)?.service;
    if (service !== undefined && !chosen.has(service)) chosen.set(service, id);
  }
  const all = [...chosen.values()];
  const step = Math.max(1, all.length / FRESH_MAX);
  return Array.from({ length: Math.min(all.length, FRESH_MAX) }, (_, n) => all[Math.floor(n * step)] as number);
}
