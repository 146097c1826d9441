/** Looks into a running Node process through its inspector: its heap after a full collection, and what keeps it alive. */
import { censusOf, type HeapCensus } from "./heap-census.ts";

export interface ProcessProbe {
  /** Bytes that are in use after a collection: objects, and the memory of buffers. */
  heapAfterCollection(): Promise<number>;
  /** The same by kind. The process stands still for a second or more. */
  census(): Promise<HeapCensus>;
  /** How many of each kind of timers, sockets, ... there are. */
  activeResources(): Promise<Readonly<Record<string, number>>>;
  close(): void;
}

/** An answer has an id, a notification a method. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly chunk: string };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** The flag of Node with which a process can be looked into. */
export const INSPECT = "--inspect=127.0.0.1:0";

/** `words` is what the process has written to standard error: it says where its inspector listens. */
export async function openProbe(words: string): Promise<ProcessProbe> {
  const url = /ws:\/\/\S+/.exec(words)?.[0];
  if (url === undefined) throw new Error("the process does not say where its inspector is");
  const socket = new WebSocket(url);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const chunks: string[] = [];
  let count = 0;
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error(`no inspector answers at ${url}`)), { once: true });
  });
  socket.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Message;
    if (answer.method === "HeapProfiler.addHeapSnapshotChunk") chunks.push(answer.params?.chunk ?? "");
    if (answer.id === undefined) return;
    const asker = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asker?.resolve(answer.result);
    else asker?.reject(new Error(`the inspector refuses: ${answer.error.message}`));
  });
  socket.addEventListener("close", () => {
    for (const asker of waiting.values()) asker.reject(new Error("the inspector's connection ended"));
  });
  const call = async <Result>(method: string, params: object = {}) => {
    const answer = Promise.withResolvers<unknown>();
    waiting.set(++count, answer);
    socket.send(JSON.stringify({ id: count, method, params }));
    return (await answer.promise) as Result;
  };
  return {
    async heapAfterCollection() {
      // What a finalizer lets go is collected by the next one.
      for (let n = 0; n < 3; n++) await call("HeapProfiler.collectGarbage");
      const { usedSize, backingStorageSize } = await call<{ usedSize: number; backingStorageSize: number }>(
        "Runtime.getHeapUsage",
      );
      return usedSize + backingStorageSize;
    },
    async census() {
      // What a finalizer lets go is collected by the next one; the snapshot collects by itself.
      await call("HeapProfiler.collectGarbage");
      await call("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
      return censusOf(chunks.splice(0).join(""));
    },
    async activeResources() {
      const { result } = await call<{ result: { value: readonly string[] } }>("Runtime.evaluate", {
        expression: "process.getActiveResourcesInfo()",
        returnByValue: true,
      });
      const counts: Record<string, number> = {};
      for (const kind of result.value) counts[kind] = (counts[kind] ?? 0) + 1;
      return counts;
    },
    close: () => socket.close(),
  };
}
