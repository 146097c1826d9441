import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import { threadId } from "node:worker_threads";

/** What a worker is asked to do wrong. With `once`, a file that remembers it, it does so the first time only. */
export interface Misdeed {
  readonly what: "answer" | "throw" | "exit" | "crash" | "hang" | "grow";
  readonly once?: string;
}

/** Entry of a worker that misbehaves as it is told, or answers with the number of its thread. */
export function misbehave(job: Misdeed): number | Promise<number> {
  if (job.once !== undefined) {
    if (existsSync(job.once)) return threadId;
    writeFileSync(job.once, "");
  }
  switch (job.what) {
    case "answer":
      return threadId;
    case "throw":
      throw new Error("thrown on purpose");
    case "exit":
      process.exit(3);
      break;
    case "crash":
      queueMicrotask(() => {
        throw new Error("uncaught on purpose");
      });
      return new Promise(() => {
        // Never answers: the thread is gone before.
      });
    case "hang":
      return hang();
    case "grow":
      return grow();
  }
}

function hang(): never {
  for (;;);
}

function grow(): never {
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 1000 }, (_, n) => ({ n })));
}
