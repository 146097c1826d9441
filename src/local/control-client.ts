import type { ClientRequest } from "node:http";
import type { ObjectEvent, SourcedObject } from "../kube/objects.ts";
import { backoff, type Clock, canonicalJson, type Log, objectKey } from "../lib/mod.ts";
import { http } from "../platform/http.ts";
import { requestJson } from "../platform/json-request.ts";
import { pause } from "./pause.ts";

/** What this process asks its control plane for, over the private socket. */
export interface ControlClient {
  /**
   * Asks until it is answered: a control plane that is away only delays. Ends with undefined when `signal` aborts.
   */
  ask(method: "GET" | "POST", path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
  /** The objects that the control plane shall know from here, as a whole; only differences are sent. */
  publish(objects: readonly SourcedObject[]): void;
  close(): void;
}

export interface ControlClientOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const SOURCE = "node";
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1000;
const ANSWER_TIMEOUT_MS = 10_000;
/** A control plane that reads slower than this is asked anew: it gets the current state instead of the whole backlog. */
const BACKLOG_BYTES_MAX = 64 << 20;

export function controlClient(options: ControlClientOptions): ControlClient {
  const address = { socketPath: options.socketPath };
  const stream = objectStream(options);
  return {
    publish: stream.publish,
    close: stream.close,
    async ask(method, path, body, signal) {
      const delays = backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random });
      let lastProblem = "";
      while (!signal.aborted) {
        try {
          return await requestJson({ address, method, path, body, timeoutMs: ANSWER_TIMEOUT_MS, signal });
        } catch (error) {
          const problem = error instanceof Error ? error.message : String(error);
          if (problem !== lastProblem) options.log.debug("the control plane did not answer yet", { path, problem });
          lastProblem = problem;
        }
        await pause(options.clock, delays.next(), signal);
      }
      return undefined;
    },
  };
}

/** Keeps one long request open: first everything as a reset, then differences, one JSON array of events a line. */
function objectStream(options: ControlClientOptions): Pick<ControlClient, "publish" | "close"> {
  const { clock } = options;
  const delays = backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random });
  let current: ReadonlyMap<string, SourcedObject & { readonly text: string }> | undefined;
  let request: ClientRequest | undefined;
  let cancelRetry = () => {};
  let isClosed = false;

  const send = (events: readonly ObjectEvent[]) => {
    request?.write(`${JSON.stringify(events)}\n`);
    if ((request?.writableLength ?? 0) > BACKLOG_BYTES_MAX) request?.destroy(new Error("the backlog is too long"));
  };
  const connect = () => {
    if (isClosed || current === undefined) return;
    const opened = http.request({
      socketPath: options.socketPath,
      method: "POST",
      path: "/objects",
      headers: { "Content-Type": "application/x-ndjson" },
      agent: false,
    });
    request = opened;
    opened.on("error", (error) => options.log.debug("objects are not delivered", { problem: error.message }));
    opened.on("response", (response) => response.resume());
    opened.on("close", () => {
      request = undefined;
      if (!isClosed) cancelRetry = clock.after(delays.next(), connect);
    });
    opened.on("socket", (socket) => socket.once("connect", () => delays.reset()));
    opened.flushHeaders();
    send([
      {
        type: "reset",
        source: SOURCE,
        objects: [...current.values()].map(({ object, origin }) => sourced(object, origin)),
      },
    ]);
  };
  return {
    publish(objects) {
      const next = new Map(
        objects.map(({ object, origin }) => [
          keyOf(object),
          { ...sourced(object, origin), text: canonicalJson([object, origin]) },
        ]),
      );
      const before = current;
      current = next;
      if (before === undefined) return connect();
      const events: ObjectEvent[] = [];
      for (const [key, { object, origin, text }] of next) {
        if (before.get(key)?.text !== text) events.push({ type: "apply", source: SOURCE, ...sourced(object, origin) });
      }
      for (const [key, { object }] of before) if (!next.has(key)) events.push(deletion(object));
      if (events.length > 0) send(events);
    },
    close() {
      isClosed = true;
      cancelRetry();
      request?.destroy();
    },
  };
}

function sourced(object: SourcedObject["object"], origin: SourcedObject["origin"]): SourcedObject {
  return origin === undefined ? { object } : { object, origin };
}

function keyOf({ kind, metadata }: SourcedObject["object"]): string {
  return objectKey({ kind, namespace: metadata.namespace ?? "", name: metadata.name });
}

function deletion({ kind, metadata }: SourcedObject["object"]): ObjectEvent {
  return { type: "delete", source: SOURCE, kind, namespace: metadata.namespace ?? "", name: metadata.name };
}
