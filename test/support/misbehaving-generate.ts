import process from "node:process";
import { workerData } from "node:worker_threads";
import { generateInThread } from "../../workers/generate.ts";
import type { GenerateJob } from "../../workers/messages.ts";

/**
 * Entry of a generate worker that does as it should, but for the clusters of services named `throws`, `exits` and `hangs`. It
 * says that it hangs in its worker data.
 */
export function generateUnlessPoisoned(job: GenerateJob): unknown {
  for (const view of job.views.filter((each) => each.includes('"kind":"upstream-cluster"'))) {
    if (view.includes("/exits|")) process.exit(3);
    if (view.includes("/hangs|")) {
      Atomics.store(workerData as Int32Array, 0, 1);
      for (;;);
    }
    if (view.includes("/throws|")) throw new Error("thrown on purpose");
  }
  return generateInThread(job);
}
