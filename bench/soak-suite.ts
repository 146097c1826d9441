/** Ten minutes of soak as a bench. Its name is not that of the fleet's scenario, which measures what proxies notice. */
import { type Findings, summarize } from "./measurement.ts";
import { faultsOf, REST_MS, slopeOf, soak } from "./soak.ts";

const TEN_MINUTES = { seconds: 600, warmUpSeconds: 180, changesPerLook: 600, changeMs: 25, restMs: REST_MS };
const MOST = { keptBytes: 50, per: "seconds" } as const;

export function soakSuite(flags: readonly string[]) {
  const name = "leaks";
  return {
    name,
    /** Throws when anything was left behind: its numbers would say nothing. */
    async run(isWanted: (name: string) => boolean): Promise<Findings> {
      if (!isWanted(name)) return { measurements: [], counts: [] };
      const result = await soak({ ...TEN_MINUTES, flags });
      const faults = faultsOf(result, MOST);
      if (faults.length > 0) throw new Error(`leaks: ${faults.join("; ")}`);
      const slope = (bytes: "keptBytes" | "workerBytes" | "engineBytes") =>
        summarize([slopeOf(result.looks, bytes, "seconds")]);
      return {
        measurements: [
          { name: `${name}: heap growth per second, objects and buffers`, unit: "bytes", samples: slope("keptBytes") },
          { name: `${name}: heap growth per second, worker threads`, unit: "bytes", samples: slope("workerBytes") },
          { name: `${name}: heap growth per second, compiled code`, unit: "bytes", samples: slope("engineBytes") },
        ],
        counts: [
          { name: `${name}: timers gained`, value: Math.max(0, result.timersGained) },
          { name: `${name}: streams left`, value: result.streamsLeft },
        ],
      };
    },
  };
}
