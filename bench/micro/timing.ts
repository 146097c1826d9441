import { Bench } from "tinybench";
import { type Measurement, summarize } from "../measurement.ts";

/** One thing to time. What it needs is made before, outside of the time. */
export interface Timing {
  readonly name: string;
  /** Each call does the work once, whatever the calls before it did. */
  readonly run: () => unknown;
  /** For work of many milliseconds: this many calls, and no more. */
  readonly calls?: number;
}

/** Timings that share what they are made of. It is made only when one of them is wanted. */
export interface TimingGroup {
  readonly name: string;
  readonly make: () => Promise<readonly Timing[]> | readonly Timing[];
}

const WARM_UP_MS = 200;
const TIME_MS = 600;

/** Times everything whose name `isWanted`, one after the other. */
export async function timeGroup(group: TimingGroup, isWanted: (name: string) => boolean): Promise<Measurement[]> {
  const found: Measurement[] = [];
  for (const timing of await group.make()) {
    const name = `micro/${group.name}/${timing.name}`;
    if (isWanted(name)) found.push({ name, unit: "ms", samples: summarize(await timeOne(timing)) });
  }
  return found;
}

async function timeOne({ name, run, calls }: Timing): Promise<readonly number[]> {
  const bench = new Bench({
    retainSamples: true,
    throws: true,
    ...(calls === undefined
      ? { time: TIME_MS, warmupTime: WARM_UP_MS }
      : { time: 0, iterations: calls, warmupTime: 0, warmupIterations: 2 }),
  });
  bench.add(name, run);
  const [task] = await bench.run();
  const result = task?.result;
  if (result === undefined || !("latency" in result)) throw new Error(`${name} was not timed`);
  return result.latency.samples ?? [result.latency.mean];
}
