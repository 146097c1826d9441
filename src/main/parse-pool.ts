import type { ParseResult } from "../../workers/messages.ts";
import type { Rejection } from "../lib/mod.ts";
import {
  type ManifestObject,
  type Parse,
  type ParsedFile,
  type ParseJob,
  parseManifestText,
} from "../manifests/mod.ts";
import { nextTurn, type PoolReporting, startPool } from "../platform/mod.ts";

const PARSE_TIMEOUT_MS = 60_000;
const PARSE_QUEUE_MAX = 10_000;
/** Big files are rare: the thread that reads them is there only while it is needed. */
const PARSE_IDLE_MS = 2000;
const PARSE_HEAP_MAX_MB = 1024;

export interface Parser {
  readonly parse: Parse;
  close(): Promise<void>;
}

/** Parses big files on a thread, so that the main thread never takes more than a few milliseconds for one. */
export function createParser(hasThread: boolean, edge: Omit<PoolReporting, "name">): Parser {
  if (!hasThread) {
    return { parse: async ({ text, file }) => parseManifestText(text, file), close: async () => undefined };
  }
  const pool = startPool<ParseJob, ParseResult>({
    ...edge,
    name: "parse",
    entry: new URL("../../workers/parse.ts", import.meta.url),
    function: "parseInThread",
    threads: 1,
    idleMs: PARSE_IDLE_MS,
    timeoutMs: PARSE_TIMEOUT_MS,
    queueMax: PARSE_QUEUE_MAX,
    heapMaxMb: PARSE_HEAP_MAX_MB,
  });
  return { parse: async (job) => unpack(await pool.run(job)), close: () => pool.close() };
}

async function unpack({ isReadable, rejections, slices }: ParseResult): Promise<ParsedFile> {
  const decoder = new TextDecoder();
  const objects: ManifestObject[] = [];
  for (const slice of slices) {
    objects.push(...(JSON.parse(decoder.decode(slice)) as readonly ManifestObject[]));
    await nextTurn();
  }
  return { isReadable, objects, rejections: JSON.parse(rejections) as readonly Rejection[] };
}
