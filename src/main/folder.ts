import { join } from "node:path";
import type { ObjectEvent } from "../kube/mod.ts";
import type { Rejection } from "../lib/mod.ts";
import { type ParsedFile, type ParseJob, parseManifestText, watchFolder } from "../manifests/mod.ts";
import { inlinePool, type Pool, type PoolReporting, startPool } from "../platform/mod.ts";
import type { ControlPlaneOptions } from "./control-plane.ts";

const PARSE_TIMEOUT_MS = 60_000;
const PARSE_QUEUE_MAX = 10_000;
/** Big files are rare: the thread that reads them is there only while it is needed. */
const PARSE_IDLE_MS = 2000;
const PARSE_HEAP_MAX_MB = 1024;

/** Kinds that the node process reads from the folder itself and hands over with what a cluster would add to them. */
const KINDS_OF_NODE: ReadonlySet<string> = new Set(["Pod", "Service"]);

export interface Folder {
  readonly rejections: () => readonly Rejection[];
  stop(): Promise<void>;
}

/** Follows the served folder and gives what the control plane takes from it to `accept`. */
export function openFolder(
  options: ControlPlaneOptions,
  accept: (events: readonly ObjectEvent[]) => void,
  edge: Omit<PoolReporting, "name">,
): Folder {
  const pool = parsePool(options.workers > 0, edge);
  const source = watchFolder({
    dir: options.dir,
    source: "folder",
    stateDir: join(options.stateDir, "files"),
    clock: edge.clock,
    log: edge.log.child("manifests"),
    parse: (job) => pool.run(job),
    onBatch: (events) => accept(options.hasPods ? withoutKindsOfNode(events) : events),
    onRejections: () => undefined,
  });
  return {
    rejections: () => source.rejections(),
    async stop() {
      await source.stop();
      await pool.close();
    },
  };
}

function parsePool(hasThread: boolean, edge: Omit<PoolReporting, "name">): Pool<ParseJob, ParsedFile> {
  const reporting: PoolReporting = { ...edge, name: "parse" };
  if (!hasThread) {
    const load = () => Promise.resolve((job: ParseJob) => parseManifestText(job.text, job.file));
    return inlinePool({ ...reporting, load });
  }
  return startPool({
    ...reporting,
    entry: new URL("../../workers/parse.ts", import.meta.url),
    function: "parseInThread",
    threads: 1,
    idleMs: PARSE_IDLE_MS,
    timeoutMs: PARSE_TIMEOUT_MS,
    queueMax: PARSE_QUEUE_MAX,
    heapMaxMb: PARSE_HEAP_MAX_MB,
  });
}

function withoutKindsOfNode(events: readonly ObjectEvent[]): readonly ObjectEvent[] {
  return events.flatMap((event): readonly ObjectEvent[] => {
    if (event.type === "reset") {
      return [{ ...event, objects: event.objects.filter(({ object }) => !KINDS_OF_NODE.has(object.kind)) }];
    }
    return KINDS_OF_NODE.has(event.type === "apply" ? event.object.kind : event.kind) ? [] : [event];
  });
}
