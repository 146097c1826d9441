import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const fleet = "test/fleet/run.test.ts";
const own = [
  fleet,
  "test/envoy/**",
  "test/load/**",
  "test/local/**",
  "test/property/**",
  "test/runtime/**",
  "test/serve/**",
  "test/tidy.test.ts",
];
const nowhere = ["node_modules/**", "proto/gen/**"];

/** vitest's own default keeps a core for vitest: on two cores that is one worker, which waits for half of its time. */
const workers = Math.max(2, availableParallelism() - 1);

/**
 * The lanes of the test suite, one vitest project each (`vitest run --project unit`):
 *
 * - `unit`: values, and real sockets on loopback; runs on Node and on Deno.
 * - `property`: invariants over random input; `PROPERTY_RUNS` says how many runs each (default: short).
 * - `fleet`: `osm fleet run` against control planes in processes of their own; runs on Node and on Deno.
 * - `runtime`: starts the product's commands under the runtimes that we support. Node only.
 * - `tidy`: the rules of the source tree. Node only.
 * - `load`: a control plane under many proxies, for a while; one file at a time. Node only.
 * - `envoy`: needs a real Envoy (`OSM_ENVOY`). Node only.
 * - `local`: needs pods, that is Linux with network namespaces, and a real Envoy. Node only, one file at a time.
 */
export default defineConfig({
  test: {
    // The one pool that works on Deno as well.
    pool: "forks",
    fileParallelism: true,
    passWithNoTests: true,
    // Conditions come about as soon as a busy machine lets them: a bound on a test that hangs, within every test's own.
    expect: { poll: { timeout: 10_000 } },
    // Megabytes of generated code: the runtime loads them as they are.
    server: { deps: { external: [/\/proto\/gen\//] } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{src,workers,bench,scripts,demo,test}/**/*.test.ts"],
          exclude: [...nowhere, ...own],
          maxWorkers: workers,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "property",
          include: ["test/property/**/*.test.ts"],
          exclude: nowhere,
          setupFiles: ["test/property/short-runs.ts"],
          maxWorkers: workers,
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: { name: "fleet", include: [fleet], exclude: nowhere, maxWorkers: workers, testTimeout: 30_000 },
      },
      {
        extends: true,
        test: {
          name: "runtime",
          include: ["test/{runtime,serve}/**/*.test.ts"],
          exclude: nowhere,
          testTimeout: 120_000,
        },
      },
      { extends: true, test: { name: "tidy", include: ["test/tidy.test.ts"], exclude: nowhere, testTimeout: 30_000 } },
      {
        extends: true,
        test: {
          name: "load",
          include: ["test/load/**/*.test.ts"],
          exclude: nowhere,
          fileParallelism: false,
          testTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: {
          name: "envoy",
          include: ["test/envoy/**/*.test.ts"],
          exclude: nowhere,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "local",
          include: ["test/local/**/*.test.ts"],
          exclude: nowhere,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
