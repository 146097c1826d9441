/** Looks into a running Node process through its inspector: its heaps after a full collection, and what keeps it alive. */
import { addCensus, censusOf, EMPTY_CENSUS, type HeapCensus } from "./heap-census.ts";
import { InspectorSession } from "./inspector-session.ts";
import { noteTurns, type Turns, takeNotedTurns } from "./turn-work.ts";

export interface ProcessProbe {
  /** Bytes of the main thread that are in use after a collection: objects, and the memory of buffers. */
  heapAfterCollection(): Promise<number>;
  /** The same by kind. The process stands still for a second or more. */
  census(): Promise<HeapCensus>;
  /** Of all worker threads together; each has a heap of its own. */
  workerCensus(): Promise<HeapCensus>;
  /** How many of each kind of timers, sockets, ... there are. */
  activeResources(): Promise<Readonly<Record<string, number>>>;
  /** What the main thread works in each turn of its event loop, from the first call on: of the time since the last one. */
  turns(): Promise<Turns>;
  close(): void;
}

/** The flag of Node with which a process can be looked into. */
export const INSPECT = "--inspect=127.0.0.1:0";

/** Threads of piscina's pools wait for work without hearing anything else, an inspector neither, unless this is in the environment. */
export const HEARING_WORKERS = { PISCINA_DISABLE_ATOMICS: "1" } as const;

/** A thread and what it has sent of a heap snapshot. */
interface Thread {
  readonly session: InspectorSession;
  readonly chunks: string[];
}

/** `words` is what the process has written to standard error: it says where its inspector listens. */
export async function openProbe(words: string): Promise<ProcessProbe> {
  const url = /ws:\/\/\S+/.exec(words)?.[0];
  if (url === undefined) throw new Error("the process does not say where its inspector is");
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error(`no inspector answers at ${url}`)), { once: true });
  });
  const main = threadOver(
    (text) => socket.send(text),
    (method, params) => workers.hear(method, params as WorkerNotice),
  );
  const workers = workersOf(main.session);
  socket.addEventListener("message", ({ data }) => main.session.receive(String(data)));
  socket.addEventListener("close", () => {
    for (const { session } of [main, ...workers.threads.values()]) session.end();
  });
  await main.session.call("NodeWorker.enable", { waitForDebuggerOnStart: false });
  let turnsTakenMs: number | undefined;
  return {
    async heapAfterCollection() {
      const { session } = main;
      // What a finalizer lets go is collected by the next one.
      for (let n = 0; n < 3; n++) await session.call("HeapProfiler.collectGarbage");
      const { usedSize, backingStorageSize } = await session.call<{ usedSize: number; backingStorageSize: number }>(
        "Runtime.getHeapUsage",
      );
      return usedSize + backingStorageSize;
    },
    census: () => take(main),
    async workerCensus() {
      let all = EMPTY_CENSUS;
      for (const [id, worker] of [...workers.threads]) {
        const census = await take(worker).catch((error: unknown) => {
          // One that has ended meanwhile keeps nothing.
          if (workers.threads.has(id)) throw error;
          return EMPTY_CENSUS;
        });
        all = addCensus(all, census);
      }
      return all;
    },
    async activeResources() {
      const kinds = await evaluated<readonly string[]>(main, "process.getActiveResourcesInfo()");
      const counts: Record<string, number> = {};
      for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
      return counts;
    },
    async turns() {
      const nowMs = performance.now();
      const ms = nowMs - (turnsTakenMs ?? nowMs);
      const run = turnsTakenMs === undefined ? noteTurns : takeNotedTurns;
      turnsTakenMs = nowMs;
      const workedMs = await evaluated<readonly number[] | undefined>(main, `(${run.toString()})()`);
      return { workedMs: workedMs ?? [], ms };
    },
    close: () => socket.close(),
  };
}

interface Evaluation {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

interface WorkerNotice {
  readonly sessionId: string;
  readonly message: string;
}

/** Worker threads, which speak through the main one: https://github.com/nodejs/node/blob/main/src/inspector/node_protocol.pdl */
function workersOf(main: InspectorSession) {
  const threads = new Map<string, Thread>();
  return {
    threads: threads as ReadonlyMap<string, Thread>,
    hear(method: string, { sessionId, message }: WorkerNotice): void {
      if (method === "NodeWorker.attachedToWorker") {
        const send = (text: string) => {
          // One that has ended meanwhile is refused; its questions end with its notice of departure.
          main.call("NodeWorker.sendMessageToWorker", { sessionId, message: text }).catch(() => undefined);
        };
        threads.set(sessionId, threadOver(send));
      }
      if (method === "NodeWorker.receivedMessageFromWorker") threads.get(sessionId)?.session.receive(message);
      if (method === "NodeWorker.detachedFromWorker") {
        threads.get(sessionId)?.session.end();
        threads.delete(sessionId);
      }
    },
  };
}

function threadOver(send: (text: string) => void, hear?: (method: string, params: unknown) => void): Thread {
  const chunks: string[] = [];
  const session = new InspectorSession(send, (method, params) => {
    if (method === "HeapProfiler.addHeapSnapshotChunk") chunks.push((params as { readonly chunk: string }).chunk);
    else hear?.(method, params);
  });
  return { session, chunks };
}

/** Value of an expression in a thread. */
async function evaluated<Value>({ session }: Thread, expression: string): Promise<Value> {
  const { result, exceptionDetails } = await session.call<Evaluation>("Runtime.evaluate", {
    expression,
    returnByValue: true,
  });
  if (exceptionDetails === undefined) return result.value as Value;
  const found = exceptionDetails.exception?.description ?? exceptionDetails.text;
  throw new Error(`in the process, ${expression} throws: ${found}`);
}

async function take({ session, chunks }: Thread): Promise<HeapCensus> {
  // What a finalizer lets go is collected by the next one; the snapshot collects by itself.
  await session.call("HeapProfiler.collectGarbage");
  await session.call("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  return censusOf(chunks.splice(0).join(""));
}
