/** The admin address under load (autocannon), with proxies connected: what a scraper or a person waits for. */
import autocannon from "autocannon";
import { type ExactCount, type Findings, type Measurement, summarize } from "./measurement.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";

const SHAPE = {
  services: 20,
  pods: 5,
  namespaces: 5,
  mode: "permissive",
  calls: { kind: "all" },
  splits: 1,
  seed: 1,
} as const;
const CONNECTIONS = 8;
const SECONDS = 1;
const ROUNDS = 3;
const NAME = "http/admin";

export const httpSuite = {
  name: NAME,
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    if (!isWanted(NAME)) return { measurements: [], counts: [] };
    const mesh = await openMesh(SHAPE);
    try {
      requireAll(NAME, await mesh.fleet.connect());
      return await askAll(mesh);
    } finally {
      await mesh.close();
    }
  },
};

async function askAll({ plane, world }: BenchMesh): Promise<Findings> {
  const [pod] = world.pods();
  const paths = [
    "/health/ready",
    "/version",
    "/metrics",
    "/debug/proxies",
    ...(pod === undefined ? [] : [`/debug/proxies/${pod.namespace}/${pod.name}/config`]),
  ];
  const measurements: Measurement[] = [];
  const counts: ExactCount[] = [];
  for (const path of paths) {
    const rates: number[] = [];
    const p99s: number[] = [];
    let failed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const result = await autocannon({
        url: `http://${plane.admin}${path}`,
        connections: CONNECTIONS,
        duration: SECONDS,
      });
      rates.push(result.requests.average);
      p99s.push(result.latency.p99);
      failed += result.errors + result.non2xx;
    }
    // The path of a pod's configuration names the pod.
    const name = `${NAME}: GET ${path.replace(/\/[^/]+\/[^/]+\/config$/, "/NAMESPACE/POD/config")}`;
    measurements.push({ name: `${name}, requests a second`, unit: "count", samples: summarize(rates) });
    measurements.push({ name: `${name}, p99`, unit: "ms", samples: summarize(p99s) });
    counts.push({ name: `${name}, failed requests`, value: failed });
  }
  return { measurements, counts };
}
