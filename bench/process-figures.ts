/** What a person sees of the control plane's process on the bookstore: how soon it serves, and how large it is. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removedAtExit } from "../src/fleet/at-exit.ts";
import { readBookstore } from "./bookstore.ts";
import { startControlPlane } from "./control-plane.ts";
import { type ExactCount, type Findings, summarize } from "./measurement.ts";
import { openFleet, requireAll } from "./mesh.ts";
import { makeAuthority } from "./mesh-authority.ts";

const STARTS = 5;

/** With its threads, and on the main thread alone. */
export const processSuite = [1, 0].map((workers) => ({
  name: `process/bookstore, ${workers} workers`,
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    const name = `process/bookstore, ${workers} workers`;
    return isWanted(name) ? await startSeveralTimes(name, workers) : { measurements: [], counts: [] };
  },
}));

async function startSeveralTimes(name: string, workers: number): Promise<Findings> {
  const { objects, pods } = readBookstore();
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-bookstore-"));
  const remove = removedAtExit(folder);
  writeFileSync(join(folder, "bookstore.json"), JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const readyMs: number[] = [];
  const residentMiB: number[] = [];
  let counts: readonly ExactCount[] = [];
  const authority = await makeAuthority();
  try {
    const proxies = await authority.proxies(pods);
    for (let start = 0; start < STARTS; start++) {
      const plane = await startControlPlane(folder, { workers, caDir: authority.dir });
      const fleet = await openFleet(plane.xds, authority, proxies);
      try {
        requireAll(name, await fleet.connect());
        readyMs.push(plane.readyMs);
        residentMiB.push((await plane.metric("process_resident_memory_bytes")) / 2 ** 20);
        const { resources } = await fleet.counts();
        const generated = await plane.metric("osm_push_resources_generated_total");
        counts = [
          { name: `${name}: proxies`, value: pods.length },
          { name: `${name}: resources delivered`, value: resources },
          { name: `${name}: resources generated`, value: generated },
        ];
      } finally {
        await fleet.stop();
        await plane.stop();
      }
    }
  } finally {
    authority.close();
    remove();
  }
  return {
    measurements: [
      { name: `${name}: start to xDS ready`, unit: "ms", samples: summarize(readyMs) },
      { name: `${name}: resident memory with all proxies`, unit: "MiB", samples: summarize(residentMiB) },
    ],
    counts,
  };
}
