import { open } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type AppReport, reporters } from "../main/mod.ts";
import type { MeshClient } from "./client.ts";

/** Reads what the programs of the demo report, from the logs of their pods. */
export interface ReportReader {
  /** Reads all that is written by now. */
  read(): Promise<void>;
  stop(): void;
}

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

interface Tail {
  readonly path: string;
  position: number;
  /** The last line as far as it was written. */
  rest: string;
}

const READ_INTERVAL_MS = 50;
const READ_BYTES_MAX = 64 * 1024;
const LINE_LENGTH_MAX = 64 * 1024;

/** Starts to read; `onReport` hears every report in the order in which its program wrote it. */
export function readReports(client: MeshClient, onReport: (report: AppReport) => void): ReportReader {
  const tails = new Map<string, Tail>();
  let isStopped = false;
  let reading: Promise<void> = Promise.resolve();

  const readAll = async () => {
    if (tails.size < reporters.length) await findTails(client, tails);
    for (const tail of tails.values()) for (const report of await readTail(tail)) onReport(report);
  };
  const read = () => {
    reading = reading.then(readAll);
    return reading;
  };
  const loop = async () => {
    while (!isStopped) {
      // Before the pods are there, nobody answers; who waits for a report has a deadline.
      await read().catch(() => {
        reading = Promise.resolve();
      });
      await pause(READ_INTERVAL_MS);
    }
  };
  void loop();
  return {
    read,
    stop() {
      isStopped = true;
    },
  };
}

async function findTails(client: MeshClient, tails: Map<string, Tail>): Promise<void> {
  const pods = (await client.node("GET", "/pods")) as readonly PodName[];
  for (const { app, namespace, workload } of reporters) {
    const pod = pods.find((each) => each.namespace === namespace && each.name.startsWith(`${workload}-`));
    if (pod === undefined || tails.has(app)) continue;
    const { path } = (await client.node("GET", `/pods/${namespace}/${pod.name}/logs`)) as { readonly path: string };
    tails.set(app, { path, position: 0, rest: "" });
  }
}

async function readTail(tail: Tail): Promise<readonly AppReport[]> {
  const file = await open(tail.path, "r").catch((error: NodeJS.ErrnoException) => {
    // The container has not been started yet.
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return [];
  try {
    // A log that has grown too large starts again.
    if ((await file.stat()).size < tail.position) tail.position = 0;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES_MAX), 0, READ_BYTES_MAX, tail.position);
    tail.position += bytesRead;
    const lines = (tail.rest + buffer.toString("utf8", 0, bytesRead)).split("\n");
    tail.rest = (lines.pop() ?? "").slice(0, LINE_LENGTH_MAX);
    return lines.flatMap(parseReport);
  } finally {
    await file.close();
  }
}

/** A line of a log that is a report; everything else that a program prints is nothing to us. */
export function parseReport(line: string): readonly AppReport[] {
  if (!line.startsWith('{"app":')) return [];
  try {
    return [JSON.parse(line) as AppReport];
  } catch {
    return [];
  }
}
