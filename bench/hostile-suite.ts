/** The siege as a bench: how much honest proxies notice of hostile sessions. */
import { delays, siege } from "./hostile/siege.ts";
import { type Findings, summarize } from "./measurement.ts";

/** 10,000 with `--full`. */
export function hostileSuite(isFull: boolean, flags: readonly string[]) {
  const name = "hostile";
  return {
    name,
    async run(isWanted: (name: string) => boolean): Promise<Findings> {
      if (!isWanted(name)) return { measurements: [], counts: [] };
      const sessions = isFull ? 2_500 : 250;
      const result = await siege({ sessions, rounds: 3, atOnce: 40, perSecond: 100, flags });
      const quiet = result.quietMs.flat();
      const besieged = result.besiegedMs.flat();
      const ratios = result.besiegedMs.map(
        (during, round) => delays(during).p99 / delays(result.quietMs[round] ?? []).p99,
      );
      const heap = (result.heap.at(-1) ?? 0) - (result.heap[0] ?? 0);
      return {
        measurements: [
          { name: `${name}: change to an honest proxy, before`, unit: "ms", samples: summarize(quiet) },
          { name: `${name}: change to an honest proxy, besieged`, unit: "ms", samples: summarize(besieged) },
          {
            name: `${name}: p99, besieged to before`,
            unit: "ratio",
            samples: summarize([delays(besieged).p99 / delays(quiet).p99]),
          },
          { name: `${name}: p99, besieged to before, each round`, unit: "ratio", samples: summarize(ratios) },
          { name: `${name}: hostile sessions a second`, unit: "count", samples: summarize([result.rate]) },
          { name: `${name}: heap, last round less first`, unit: "MiB", samples: summarize([heap / 2 ** 20]) },
        ],
        counts: [
          { name: `${name}: sessions`, value: result.endedByServer + result.endedByUs },
          { name: `${name}: hostile streams left`, value: result.strangersLeft },
        ],
      };
    },
  };
}
