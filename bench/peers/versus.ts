/**
 * `npm run bench -- --peer go-control-plane`: the same resources from our server and from a reference server, to the same
 * clients, in turns. Ratios of one run travel between machines; times do not.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { namedShape } from "../../src/fleet/shape.ts";
import { World } from "../../src/fleet/world.ts";
import { type Findings, type Measurement, summarize } from "../measurement.ts";
import { openFleet, openMesh, requireAll } from "../mesh.ts";
import { type Change, type Contender, ours, servicesHeldAlike, splitRouteOf, theirs } from "./contender.ts";
import { dumpResources, holdersIn } from "./dump.ts";
import { startPeer } from "./go-control-plane.ts";
import { withOneRouteTable } from "./one-route-table.ts";

/**
 * Changes of one kind that a contender makes before it is the other one's turn: more where few proxies see each, so that
 * the slowest of them are many enough to speak of.
 */
const CHANGES_PER_TURN = { min: 5, max: 40 };
const DELIVERIES_PER_TURN = 2_000;
/** Before anything is measured: what a control plane has sent after its first minute or so, and V8 compiles for. */
const WARM_UP_DELIVERIES = 20_000;
/** The same of connections: those of a process that has had 200 of them cost it twice as much as those after 3,000. */
const WARM_UP_CONNECTIONS = 3_000;
const PATIENCE_MS = 60_000;
const SMALL = 1_000;
const SETTLE_MS = 50;
/** Changes of a turn that come whether or not those before them have arrived, on shapes of so many proxies at most. */
const STEADY_CHANGES = 40;
const STEADY_EVERY_MS = 50;
const STEADY_PROXIES_MAX = 200;
/** After so long there is one turn of each kind and no second: a slow machine ends as well. */
const ENOUGH_MS = 200_000;
/** Numbers of weight changes begin here, so that no two changes have one number. */
const WEIGHTS_FROM = 1_000_000;

type Unit = Measurement["unit"];

/** Pairs of figures, each pair from two turns that followed each other. */
class Pairs {
  readonly #pairs = new Map<string, { readonly unit: Unit; readonly ours: number[]; readonly theirs: number[] }>();

  add(side: "ours" | "theirs", name: string, unit: Unit, value: number): void {
    const pair = this.#pairs.get(name) ?? { unit, ours: [], theirs: [] };
    this.#pairs.set(name, pair);
    pair[side].push(value);
  }

  measurements(prefix: string): readonly Measurement[] {
    return [...this.#pairs].flatMap(([name, pair]): Measurement[] => {
      // Nothing on both sides is as much on both sides.
      const ratios = pair.ours.map((value, n) =>
        value === pair.theirs[n] ? 1 : value / (pair.theirs[n] ?? Number.NaN),
      );
      return [
        { name: `${prefix}: ${name}, ours`, unit: pair.unit, samples: summarize(pair.ours) },
        { name: `${prefix}: ${name}, theirs`, unit: pair.unit, samples: summarize(pair.theirs) },
        { name: `${prefix}: ${name}, ratio`, unit: "ratio", samples: summarize(ratios) },
      ];
    });
  }
}

/** How the peer's routes are cut: byte for byte as ours, or into one table for all services. */
export type Routes = "as ours" | "one table";

/** Compares on a shape. With one route table nothing but edits of routes is made: all else is as it is otherwise. */
export async function versus(
  shapeName: string,
  program: string,
  flags: readonly string[],
  routes: Routes = "as ours",
): Promise<Findings> {
  const shape = namedShape(shapeName);
  if (shape === undefined) throw new Error(`there is no shape ${shapeName}`);
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  const progress = (what: string) =>
    process.stderr.write(`${shapeName}: ${what} (${Math.round(elapsedMs() / 1000)} s)\n`);
  progress("ours starts");
  const mesh = await openMesh(shape, { flags });
  const cleanUp: (() => unknown)[] = [() => mesh.close()];
  try {
    const { authority, proxies, world } = mesh;
    requireAll("ours", await mesh.fleet.connect());
    progress("what it serves is taken down");
    const dump = await dumpResources(world, mesh.fleet, proxies);
    const served = routes === "one table" ? withOneRouteTable(dump) : dump;
    progress("the peer starts");
    const peer = await startPeer(program, served, authority);
    cleanUp.push(() => peer.stop());
    const fleet = await openFleet(peer.xds, authority, proxies);
    cleanUp.push(() => fleet.stop());
    const emptyTheirs = (await peer.stats()).residentBytes;
    requireAll("theirs", await fleet.connect());
    const services = servicesHeldAlike(world, dump);
    const sides = [
      ["ours", ours(mesh, splitRouteOf(dump), services), holdersIn(dump, proxies)],
      [
        "theirs",
        theirs(peer, fleet, new World(shape), { dump: served, route: splitRouteOf(served), services }),
        holdersIn(served, proxies),
      ],
    ] as const;
    const pairs = new Pairs();
    for (const [side, contender] of sides) {
      const { residentBytes } = await contender.usage();
      const empty = side === "ours" ? mesh.emptyBytes : emptyTheirs;
      pairs.add(side, "memory per proxy, everything in", "MiB", residentBytes / 2 ** 20 / proxies.length);
      pairs.add(side, "memory per proxy, added", "MiB", (residentBytes - empty) / 2 ** 20 / proxies.length);
    }
    await takeTurns(sides, { proxies: proxies.length, pairs, routes, progress, elapsedMs });
    return { measurements: pairs.measurements(versusName(shapeName, routes)), counts: [] };
  } finally {
    for (const action of cleanUp.reverse()) await action();
  }
}

/** What the comparison is called. */
export function versusName(shape: string, routes: Routes = "as ours"): string {
  return `versus/go-control-plane/${shape}${routes === "as ours" ? "" : `, ${routes}`}`;
}

/** Ids of the proxies that hold a resource. */
type Holders = (typeUrl: string, name: string) => readonly number[];

type Sides = readonly (readonly ["ours" | "theirs", Contender, Holders])[];

interface Turns {
  readonly proxies: number;
  readonly pairs: Pairs;
  readonly routes: Routes;
  readonly progress: (what: string) => void;
  /** Since the comparison began. */
  readonly elapsedMs: () => number;
}

async function takeTurns(sides: Sides, { proxies, pairs, routes, progress, elapsedMs }: Turns): Promise<void> {
  const turns = proxies > SMALL ? 3 : 5;
  const changes = new Map<Contender, number>();
  const nextNumbers = (contender: Contender, count: number) => {
    const first = changes.get(contender) ?? 0;
    changes.set(contender, first + count);
    return Array.from({ length: count }, (_, n) => first + n);
  };
  const inTurn = async (count: number, action: (...side: Sides[number]) => Promise<void>) => {
    for (let turn = 0; turn < count && (turn === 0 || elapsedMs() < ENOUGH_MS); turn++) {
      // Who is first has what the machine does at that moment.
      for (const side of turn % 2 === 0 ? sides : [...sides].reverse()) await action(...side);
    }
  };
  for (const kind of routes === "as ours" ? (["endpoint", "weight"] as const) : (["weight"] as const)) {
    const what = kind === "endpoint" ? "endpoint change" : "route weight";
    progress(`${what}, in turns`);
    const make = (contender: Contender, holders: Holders, count: number) =>
      makeChanges(contender, nextNumbers(contender, count), kind, holders);
    const perChange = await warmUp(sides, elapsedMs, make);
    const { min, max } = CHANGES_PER_TURN;
    const count = Math.min(max, Math.max(min, Math.ceil(DELIVERIES_PER_TURN / perChange)));
    await inTurn(turns, async (side, contender, holders) => {
      const { perProxyMs, lastMs, cpuSeconds, bytes } = await make(contender, holders, count);
      pairs.add(side, `${what} to a proxy, p50`, "ms", quantile(perProxyMs, 0.5));
      pairs.add(side, `${what} to a proxy, p99`, "ms", quantile(perProxyMs, 0.99));
      pairs.add(side, `${what} to the last proxy`, "ms", quantile(lastMs, 0.5));
      pairs.add(side, `${what} to the last proxy, p99`, "ms", quantile(lastMs, 0.99));
      pairs.add(side, `${what}, CPU per proxy`, "µs", (cpuSeconds * 1e6) / perProxyMs.length);
      pairs.add(side, `${what}, bytes per proxy`, "bytes", bytes / perProxyMs.length);
    });
  }
  if (routes !== "as ours") return;
  if (proxies <= STEADY_PROXIES_MAX) {
    progress("20 changes a second, in turns");
    await inTurn(turns, async (side, contender) => {
      const ages = await makeSteadyChanges(contender, nextNumbers(contender, STEADY_CHANGES));
      pairs.add(side, "20 changes a second to a proxy, p50", "ms", quantile(ages, 0.5));
      pairs.add(side, "20 changes a second to a proxy, p99", "ms", quantile(ages, 0.99));
    });
  }
  const opening = async (what: string, side: "ours" | "theirs", contender: Contender, forget: boolean) => {
    const before = await contender.usage();
    const opened = await contender.fleet.reopen({ forget, withoutResumption: forget });
    requireAll(side, opened);
    const { cpuSeconds } = await contender.usage();
    pairs.add(side, `${what}: all warm`, "ms", opened.allMs);
    pairs.add(side, `${what}: CPU per proxy`, "µs", ((cpuSeconds - before.cpuSeconds) * 1e6) / proxies);
    pairs.add(side, `${what}: bytes per proxy`, "bytes", opened.bytes / proxies);
    pairs.add(side, `${what}: resources per proxy`, "count", opened.resources / proxies);
  };
  const openings = proxies > SMALL ? 2 : 3;
  progress("connections, in turns");
  for (let made = proxies, n = 0; made < WARM_UP_CONNECTIONS && elapsedMs() < ENOUGH_MS; made += proxies, n++) {
    const forget = n % 2 === 1;
    for (const [side, { fleet }] of sides) requireAll(side, await fleet.reopen({ forget, withoutResumption: forget }));
  }
  await inTurn(openings, (side, contender) => opening("reconnect with versions", side, contender, false));
  await inTurn(openings, (side, contender) => opening("cold start", side, contender, true));
}

/** Makes changes until both have made enough; the deliveries of one change. */
async function warmUp(
  sides: Sides,
  elapsedMs: () => number,
  make: (contender: Contender, holders: Holders, count: number) => Promise<{ readonly perProxyMs: readonly number[] }>,
): Promise<number> {
  const count = CHANGES_PER_TURN.min;
  let made = 0;
  for (let deliveries = 0, n = 0; deliveries < WARM_UP_DELIVERIES && (n === 0 || elapsedMs() < ENOUGH_MS); n++) {
    for (const [, contender, holders] of sides) made = (await make(contender, holders, count)).perProxyMs.length;
    deliveries += made;
  }
  return made / count;
}

/**
 * Makes changes one after the other, each when the one before has been acknowledged by all whom it concerns: everybody where
 * nobody says who holds what.
 */
export async function makeChanges(
  contender: Contender,
  numbers: readonly number[],
  kind: "endpoint" | "weight",
  holders?: Holders,
) {
  const [before, { bytes: bytesBefore }] = [await contender.usage(), await contender.fleet.counts()];
  const perProxyMs: number[] = [];
  const lastMs: number[] = [];
  // All are ready before the first is made: files that were just written look like files that are being written.
  const ready = numbers.map((n): readonly [number, Change] => [n, contender[kind](n)]);
  await sleep(SETTLE_MS);
  for (const [n, change] of ready) {
    const changeId = kind === "endpoint" ? n : WEIGHTS_FROM + n;
    const { typeUrl, name, contains } = change;
    const told = holders === undefined ? {} : { proxies: holders(typeUrl, name) };
    await contender.fleet.watch({ changeId, typeUrl, name, contains, ...told });
    const startedAt = process.hrtime.bigint();
    await change.make();
    const seen = await contender.fleet.collect(changeId, PATIENCE_MS);
    if (seen.missing.length > 0) throw new Error(`${seen.missing.length} proxies never saw ${kind} change ${n}`);
    const since = (at: bigint) => Number(at - startedAt) / 1e6;
    for (const at of seen.arrivedNs) perProxyMs.push(since(at));
    lastMs.push([...seen.acknowledgedNs].reduce((latest, at) => Math.max(latest, since(at)), 0));
  }
  const after = await contender.usage();
  const { bytes } = await contender.fleet.counts();
  return { perProxyMs, lastMs, cpuSeconds: after.cpuSeconds - before.cpuSeconds, bytes: bytes - bytesBefore };
}

/** Changes of endpoints at a rate that everybody sees; how old each was when it came to each proxy, in milliseconds. */
async function makeSteadyChanges(contender: Contender, numbers: readonly number[]): Promise<readonly number[]> {
  const ready = numbers.map((n) => [n, contender.endpoint(n)] as const);
  await sleep(SETTLE_MS);
  const ages = await Promise.all(
    ready.map(async ([changeId, change], position) => {
      await sleep(position * STEADY_EVERY_MS);
      const { typeUrl, name, contains } = change;
      await contender.fleet.watch({ changeId, typeUrl, name, contains });
      const startedAt = process.hrtime.bigint();
      await change.make();
      const { missing, arrivedNs } = await contender.fleet.collect(changeId, PATIENCE_MS);
      if (missing.length > 0) throw new Error(`${missing.length} proxies never saw change ${changeId}`);
      return [...arrivedNs].map((at) => Number(at - startedAt) / 1e6);
    }),
  );
  return ages.flat();
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
