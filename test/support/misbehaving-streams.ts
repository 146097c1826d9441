/** Entry of stream threads that serve until the test has one of them do wrong. */
import { openSync } from "node:fs";
import process from "node:process";
import { BroadcastChannel, parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../src/lib/mod.ts";
import { type StreamThreadData, serveStreamThread } from "../../src/xds/threads/stream-thread.ts";

export const MISDEEDS = "stream-thread-misdeeds";

/** Who makes the file `once` first does it. */
export interface StreamMisdeed {
  readonly what: "throw" | "exit" | "hang" | "grow";
  readonly once: string;
}

function misbehave({ what, once }: StreamMisdeed): void {
  try {
    openSync(once, "wx");
  } catch {
    return;
  }
  if (what === "throw") throw new Error("thrown on purpose");
  if (what === "exit") process.exit(3);
  const grown: number[][] = [];
  for (;;) if (what === "grow") grown.push(Array<number>(10_000).fill(grown.length));
}

if (parentPort !== null) {
  const misdeeds = new BroadcastChannel(MISDEEDS);
  misdeeds.onmessage = ({ data }: { data: unknown }) => misbehave(data as StreamMisdeed);
  serveStreamThread(parentPort, workerData as StreamThreadData, systemClock());
}
