/** Entry of the describe worker: shows what proxies were sent. Started when somebody asks, ended soon after. */
import { readFileSync } from "node:fs";
import { createDescribe, type Describe } from "../src/envoy/describe.ts";
import type { DescribeJob } from "./messages.ts";

let describe: Describe | undefined;

/** The resources of one job as JSON text, keys redacted. */
export function describeInThread(job: DescribeJob): string {
  describe ??= createDescribe(readFileSync(new URL("../proto/gen/envoy.json", import.meta.url), "utf8"));
  const shown = job.resources.map(({ typeUrl, name, version, bytes }) => ({
    name,
    version,
    resource: describe?.(typeUrl, new Uint8Array(bytes)),
  }));
  return JSON.stringify(shown);
}
