import type { GenerateJob, GenerateResult } from "../../workers/messages.ts";
import { generateEndpoints } from "../envoy/endpoints.ts";
import { generateInboundRoutes } from "../envoy/routes-inbound.ts";
import { generateOutboundRoutes } from "../envoy/routes-outbound.ts";
import type { InboundRouteView, ResourceView } from "../mesh/mod.ts";
import { inlinePool, type Pool, type PoolReporting, startPool } from "../platform/mod.ts";
import type { Resource } from "../xds/mod.ts";

const GENERATE_TIMEOUT_MS = 4000;
const GENERATE_QUEUE_MAX = 10_000;
const GENERATE_HEAP_MAX_MB = 512;

/** The threads that generate configuration; with 0 of them the same code runs on this one. */
export function createGeneratePool(
  threads: number,
  edge: Omit<PoolReporting, "name">,
): Pool<GenerateJob, GenerateResult> {
  const reporting: PoolReporting = { ...edge, name: "generate" };
  if (threads === 0) {
    return inlinePool({ ...reporting, load: async () => (await import("../../workers/generate.ts")).generateJob });
  }
  return startPool({
    ...reporting,
    entry: new URL("../../workers/generate.ts", import.meta.url),
    function: "generateInThread",
    threads,
    timeoutMs: GENERATE_TIMEOUT_MS,
    queueMax: GENERATE_QUEUE_MAX,
    heapMaxMb: GENERATE_HEAP_MAX_MB,
  });
}

/** Routes of one configuration, and callers named in them: as many as are written in a few milliseconds. */
const RULES_MAX = 5000;

/**
 * Endpoints and routes are generated on the main thread: they are what is edited, and the way to a thread and back takes
 * longer than to write them.
 */
export function generateHere(view: ResourceView): Resource | undefined {
  switch (view.kind) {
    case "endpoints":
      return generateEndpoints(view);
    case "outbound-route":
      return generateOutboundRoutes(view);
    case "inbound-route":
      return rulesIn(view) <= RULES_MAX ? generateInboundRoutes(view) : undefined;
    default:
      return undefined;
  }
}

function rulesIn({ virtualHosts }: InboundRouteView): number {
  let count = 0;
  for (const { routes } of virtualHosts) for (const { principals } of routes) count += 1 + (principals?.length ?? 0);
  return count;
}

/** Jobs that may be under way at once: one more than there are threads, so that none waits for the main thread. */
export function generateLanes(threads: number): number {
  return threads + 1;
}
