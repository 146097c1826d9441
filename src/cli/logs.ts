import { open } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { meshClient } from "./client.ts";
import { ADMIN_FLAG, type Command, CommandError, EXIT, NAMESPACE_FLAG, onlyPositional, stringFlag } from "./command.ts";

const FOLLOW_INTERVAL_MS = 100;
/** A log that is followed ends with its pod, or with the mesh: looked up again after so many intervals. */
const LOOKUP_INTERVALS = 20;

export const logsCommand: Command = {
  name: "logs",
  usage: "POD -n NS [-c CONTAINER] [-f]",
  summary: "Print what a container of a pod has written",
  flags: {
    namespace: NAMESPACE_FLAG,
    container: { type: "string", short: "c", value: "NAME", help: "this container (default: the first)" },
    follow: { type: "boolean", short: "f", help: "go on with what is written from now" },
    admin: ADMIN_FLAG,
  },
  examples: ["osm logs bookbuyer-6c9 -n bookbuyer -f", "osm logs bookstore-v1-7d4 -n bookstore -c envoy"],
  async run(flags, context) {
    const pod = onlyPositional(flags, "logs", "POD");
    const namespace = stringFlag(flags, "namespace") ?? "default";
    const container = stringFlag(flags, "container");
    const query = container === undefined ? "" : `?container=${encodeURIComponent(container)}`;
    const client = meshClient(flags, context);
    const lookUp = async () => {
      const path = `/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/logs${query}`;
      return ((await client.node("GET", path)) as { path: string }).path;
    };
    const copyNew = logCopier(await lookUp(), context.write);
    await copyNew();
    const { signal } = context;
    for (let round = 1; flags.values["follow"] === true && !signal.aborted; round += 1) {
      await pause(FOLLOW_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      await copyNew();
      if (round % LOOKUP_INTERVALS === 0) await lookUp().catch(unlessAborted(signal));
    }
    return EXIT.ok;
  },
};

function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

/** Gives a function that writes what has been added to the file since it was last called. */
function logCopier(path: string, write: (text: string) => void): () => Promise<void> {
  const decoder = new TextDecoder();
  let position = 0;
  return async () => {
    const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new CommandError(`The log ${path} cannot be read: ${error.message}`);
    });
    if (file === undefined) return;
    try {
      const { size } = await file.stat();
      // A rotated log starts again.
      if (size < position) position = 0;
      for await (const chunk of file.createReadStream({ start: position, autoClose: false })) {
        position += (chunk as Buffer).length;
        write(decoder.decode(chunk as Buffer, { stream: true }));
      }
    } finally {
      await file.close();
    }
  };
}
