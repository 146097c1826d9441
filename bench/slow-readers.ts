/** What the others notice when a tenth of the proxies reads slowly or never: short phases in turns, of the same proxies. */
import process from "node:process";
import { namedShape } from "../src/fleet/mod.ts";
import { randomNumbers } from "../src/fleet/shape.ts";
import { delays } from "./hostile/siege.ts";
import { type Findings, type Measurement, quantile, summarize } from "./measurement.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { ENDPOINTS, ours } from "./peers/contender.ts";
import { resampledRatios } from "./ratio-interval.ts";

export interface SlowReadersOptions {
  readonly shape: string;
  /** Pairs of phases, one with all well and one with some ill. */
  readonly rounds: number;
  readonly changesInPhase: number;
  /** Changes before those that are measured: each ill proxy is told of one. */
  readonly changesBefore: number;
  readonly flags?: readonly string[];
}

/** From a change to its ACK, ms, by proxies that are always well: for each change. */
export interface SlowReadersResult {
  readonly wellMs: readonly (readonly number[])[];
  readonly illMs: readonly (readonly number[])[];
  /** Resources that the server has sent in each kind of phase. */
  readonly sentWell: number;
  readonly sentIll: number;
  /** Of the server, at the end of each phase. */
  readonly residentWell: readonly number[];
  readonly residentIll: readonly number[];
}

/** Of each ten proxies one is ill; every other one of these reads nothing at all. */
const ILL_EVERY = 10;
const SLOW_BYTES_PER_SECOND = 500;
/** Services whose endpoints move, in scopes of their own where there are any: enough changes to fill what an ill one takes. */
const MOVING = 10;
/** The first of them: a split service and its backends are held by proxies that may not call them, and see no endpoints. */
const UNSPLIT = 5;
const PATIENCE_MS = 30_000;
const SETTLE_MS = 300;
/** Between two changes, so that one is over before the next. */
const REST_MS = 10;

/** S5, where a change concerns 50, and X5, where it concerns all: the first is bound by the server, the second by the clients. */
const SHAPES = [
  { shape: "S5", rounds: 10, changesInPhase: 100, changesBefore: MOVING },
  { shape: "X5", rounds: 10, changesInPhase: 10, changesBefore: 1 },
] as const;

export function slowReaderSuites(flags: readonly string[]) {
  return SHAPES.map((options) => {
    const name = `slow-readers/${options.shape}`;
    return {
      name,
      async run(isWanted: (name: string) => boolean): Promise<Findings> {
        if (!isWanted(name)) return { measurements: [], counts: [] };
        return { measurements: measurementsOf(name, await slowReaders({ ...options, flags })), counts: [] };
      },
    };
  });
}

function measurementsOf(name: string, result: SlowReadersResult): readonly Measurement[] {
  const { wellMs, illMs, sentWell, sentIll, residentWell, residentIll } = result;
  const ratios = resampledRatios(illMs, wellMs, 0.99, randomNumbers(1));
  const mib = (values: readonly number[]) => summarize(values.map((bytes) => bytes / 2 ** 20));
  const single = (value: number) => summarize([value]);
  // A machine that stands still for a moment spoils one change, and with it the p99 of hundreds.
  const ofEach = (changes: SlowReadersResult["wellMs"]) => summarize(changes.map((each) => delays(each).p99));
  return [
    { name: `${name}: to those that are well, all well`, unit: "ms", samples: summarize(wellMs.flat()) },
    { name: `${name}: to those that are well, a tenth ill`, unit: "ms", samples: summarize(illMs.flat()) },
    { name: `${name}: p99 of each change, all well`, unit: "ms", samples: ofEach(wellMs) },
    { name: `${name}: p99 of each change, a tenth ill`, unit: "ms", samples: ofEach(illMs) },
    {
      name: `${name}: p99, ill to well`,
      unit: "ratio",
      samples: single(delays(illMs.flat()).p99 / delays(wellMs.flat()).p99),
    },
    { name: `${name}: p99, ill to well, at least`, unit: "ratio", samples: single(quantile(ratios, 0.025)) },
    { name: `${name}: p99, ill to well, at most`, unit: "ratio", samples: single(quantile(ratios, 0.975)) },
    {
      name: `${name}: resources sent for a change, all well`,
      unit: "count",
      samples: single(sentWell / wellMs.length),
    },
    {
      name: `${name}: resources sent for a change, a tenth ill`,
      unit: "count",
      samples: single(sentIll / illMs.length),
    },
    { name: `${name}: server memory, all well`, unit: "MiB", samples: mib(residentWell) },
    { name: `${name}: server memory, a tenth ill`, unit: "MiB", samples: mib(residentIll) },
  ];
}

async function slowReaders({
  shape: name,
  rounds,
  changesInPhase,
  changesBefore,
  flags,
}: SlowReadersOptions): Promise<SlowReadersResult> {
  const shape = namedShape(name);
  if (shape === undefined) throw new Error(`there is no shape ${name}`);
  const mesh = await openMesh(shape, { flags: flags ?? [] });
  try {
    requireAll("slow readers", await mesh.fleet.connect());
    const ids = mesh.proxies.map(({ id }) => id);
    const ill = ids.filter((id) => id % ILL_EVERY === 0);
    const well = new Set(ids.filter((id) => id % ILL_EVERY !== 0));
    const change = changesOf(mesh, await holders(mesh, well));
    const measured: { [kind in "well" | "ill"]: { delays: number[][]; sent: number; resident: number[] } } = {
      well: { delays: [], sent: 0, resident: [] },
      ill: { delays: [], sent: 0, resident: [] },
    };
    const phase = async (kind: "well" | "ill", isKept: boolean) => {
      await setIll(mesh, kind === "ill" ? ill : [], ill);
      // Who is ill is told of one change and acknowledges none; who was has much to catch up on.
      for (let n = 0; n < changesBefore; n++) await change();
      await rest(SETTLE_MS);
      const before = await mesh.plane.metric("osm_xds_resources_sent_total");
      const found: number[][] = [];
      for (let n = 0; n < changesInPhase; n++) found.push(await change());
      if (!isKept) return;
      const into = measured[kind];
      into.delays.push(...found);
      into.sent += (await mesh.plane.metric("osm_xds_resources_sent_total")) - before;
      into.resident.push(await mesh.plane.metric("process_resident_memory_bytes"));
    };
    for (let round = -1; round < rounds; round++) {
      const kinds = round % 2 === 0 ? (["well", "ill"] as const) : (["ill", "well"] as const);
      for (const kind of kinds) await phase(kind, round >= 0);
    }
    return {
      wellMs: measured.well.delays,
      illMs: measured.ill.delays,
      sentWell: measured.well.sent,
      sentIll: measured.ill.sent,
      residentWell: measured.well.resident,
      residentIll: measured.ill.resident,
    };
  } finally {
    await mesh.close();
  }
}

async function setIll({ fleet }: BenchMesh, now: readonly number[], ever: readonly number[]): Promise<void> {
  if (now.length === 0) return fleet.setBehaviour(ever, { kind: "normal" });
  const silent = now.filter((_, n) => n % 2 === 0);
  const slow = now.filter((_, n) => n % 2 === 1);
  await fleet.setBehaviour(silent, { kind: "slow-reader", bytesPerSecond: 0 });
  await fleet.setBehaviour(slow, { kind: "slow-reader", bytesPerSecond: SLOW_BYTES_PER_SECOND });
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Who of `wanted` follows the endpoints of each name. */
async function holders(
  { fleet }: BenchMesh,
  wanted: ReadonlySet<number>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const byName = new Map<string, number[]>();
  for (const { id, types } of await fleet.tables()) {
    if (!wanted.has(id)) continue;
    for (const name of types[ENDPOINTS]?.names.keys() ?? []) {
      const ids = byName.get(name);
      if (ids === undefined) byName.set(name, [id]);
      else ids.push(id);
    }
  }
  return byName;
}

/** Moves an endpoint of one service after the other; ms until each of its holders has acknowledged it. */
function changesOf(mesh: BenchMesh, holdersOf: ReadonlyMap<string, readonly number[]>): () => Promise<number[]> {
  const contender = ours(mesh, "");
  const { services } = mesh.world;
  const stride = Math.floor(services / MOVING);
  let changeId = 0;
  return async () => {
    const made = changeId++;
    const { typeUrl, name, contains, make } = contender.endpoint(
      UNSPLIT + (made % MOVING) * stride + services * Math.floor(made / MOVING),
    );
    const proxies = holdersOf.get(name);
    if (proxies === undefined) throw new Error(`nobody follows ${name}`);
    await mesh.fleet.watch({ changeId: made, typeUrl, name, contains, proxies });
    await rest(REST_MS);
    const madeNs = process.hrtime.bigint();
    await make();
    const { acknowledgedNs, missing } = await mesh.fleet.collect(made, PATIENCE_MS);
    if (missing.length > 0) throw new Error(`${missing.length} proxies that read all never got change ${made}`);
    return Array.from(acknowledgedNs, (atNs) => Number(atNs - madeNs) / 1e6);
  };
}
