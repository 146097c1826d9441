import process from "node:process";
import { generateInThread } from "../../workers/generate.ts";
import type { GenerateJob } from "../../workers/messages.ts";

/** Entry of a generate worker that does as it should, but for the clusters of services named `throws`, `exits` and `hangs`. */
export function generateUnlessPoisoned(job: GenerateJob): unknown {
  for (const view of job.views.filter((each) => each.includes('"kind":"upstream-cluster"'))) {
    if (view.includes("/exits|")) process.exit(3);
    while (view.includes("/hangs|"));
    if (view.includes("/throws|")) throw new Error("thrown on purpose");
  }
  return generateInThread(job);
}
