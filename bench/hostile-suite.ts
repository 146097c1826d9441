/** The siege as a bench: how much honest proxies notice of hostile sessions, and up to how many a second. */
import { randomNumbers } from "../src/fleet/shape.ts";
import { type ChangeDelays, delays, type SiegeOptions, type SiegeResult, siege } from "./hostile/siege.ts";
import { type Findings, type Measurement, quantile, summarize, type Unit } from "./measurement.ts";
import { resampledRatios } from "./ratio-interval.ts";
import { workUnderWay } from "./turn-work.ts";

/** Those that are not let in wait for 5 s. */
const AT_ONCE = 1_000;
const ROUNDS = 3;
/** Sessions a second, and how long a round of them takes (s). */
const RATES = [100, 50, 20] as const;
const ROUND_SECONDS = 9;

const NOTHING: Findings = { measurements: [], counts: [] };

/** 10,000 sessions: the rounds, and one before them. */
export function hostileSuite(flags: readonly string[]) {
  return suiteOf("hostile", { sessions: 2_500, rounds: ROUNDS, atOnce: AT_ONCE, perSecond: 100, flags });
}

/**
 * The same at several rates, and beside what the sessions cost when another server of this machine is their victim: who
 * attacks from elsewhere takes nothing of it.
 */
export function hostileRateSuites(flags: readonly string[]) {
  const suiteAt = (perSecond: number, isEachFromElsewhere: boolean) =>
    suiteOf(`hostile/${perSecond} a second${isEachFromElsewhere ? ", each from elsewhere" : ""}`, {
      sessions: perSecond * ROUND_SECONDS,
      rounds: ROUNDS,
      atOnce: AT_ONCE,
      perSecond,
      isEachFromElsewhere,
      isComparedWithElsewhere: true,
      flags,
    });
  return [...RATES.map((perSecond) => suiteAt(perSecond, false)), suiteAt(Math.max(...RATES), true)];
}

function suiteOf(name: string, options: SiegeOptions) {
  return {
    name,
    run: async (isWanted: (name: string) => boolean): Promise<Findings> =>
      isWanted(name) ? findingsOf(name, await siege(options)) : NOTHING,
  };
}

function findingsOf(name: string, result: SiegeResult): Findings {
  const { quietMs, elsewhereMs, besiegedMs, heap, rate } = result;
  const change = `${name}: change to an honest proxy`;
  const elsewhere: readonly Measurement[] =
    elsewhereMs.length === 0
      ? []
      : [
          { name: `${change}, another server besieged`, unit: "ms", samples: summarize(elsewhereMs.flat()) },
          ...ratiosOf(`${name}: p99, besieged to another server besieged`, besiegedMs, elsewhereMs),
        ];
  const single = (what: string, unit: Unit, value: number) => ({ name: what, unit, samples: summarize([value]) });
  const underWay = `${name}: work that one change of a hundred finds under way`;
  const grown = (heap.at(-1) ?? 0) - (heap[0] ?? 0);
  return {
    measurements: [
      { name: `${change}, before`, unit: "ms", samples: summarize(quietMs.flat()) },
      { name: `${change}, besieged`, unit: "ms", samples: summarize(besiegedMs.flat()) },
      ...ratiosOf(`${name}: p99, besieged to before`, besiegedMs, quietMs),
      ...elsewhere,
      single(`${underWay}, before`, "ms", workUnderWay(result.quietTurns, 0.01)),
      single(`${underWay}, besieged`, "ms", workUnderWay(result.besiegedTurns, 0.01)),
      single(`${name}: hostile sessions a second`, "count", rate),
      single(`${name}: heap, last round less first`, "MiB", grown / 2 ** 20),
    ],
    counts: [
      { name: `${name}: sessions`, value: result.endedByServer + result.endedByUs },
      { name: `${name}: hostile streams left`, value: result.strangersLeft },
    ],
  };
}

/** The ratio, and between which ratios it lies with 95 % certainty. */
function ratiosOf(name: string, ours: ChangeDelays, theirs: ChangeDelays): readonly Measurement[] {
  const ratios = resampledRatios(ours, theirs, 0.99, randomNumbers(1));
  const single = (what: string, value: number) => ({ name: what, unit: "ratio" as const, samples: summarize([value]) });
  return [
    single(name, delays(ours.flat()).p99 / delays(theirs.flat()).p99),
    single(`${name}, at least`, quantile(ratios, 0.025)),
    single(`${name}, at most`, quantile(ratios, 0.975)),
  ];
}
