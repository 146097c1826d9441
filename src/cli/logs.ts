import { open } from "node:fs/promises";
import { meshClient } from "./client.ts";
import { ADMIN_FLAG, type Command, CommandError, EXIT, NAMESPACE_FLAG, onlyPositional, stringFlag } from "./command.ts";

const FOLLOW_INTERVAL_MS = 100;

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
    const answer = await meshClient(flags, context).node(
      "GET",
      `/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/logs${query}`,
    );
    await copyFile((answer as { path: string }).path, flags.values["follow"] === true, context.signal, context.write);
    return EXIT.ok;
  },
};

async function copyFile(
  path: string,
  isFollowing: boolean,
  signal: AbortSignal,
  write: (text: string) => void,
): Promise<void> {
  let position = 0;
  for (;;) {
    const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new CommandError(`The log ${path} cannot be read: ${error.message}`);
    });
    if (file !== undefined) {
      try {
        const { size } = await file.stat();
        // A rotated log starts again.
        if (size < position) position = 0;
        const decoder = new TextDecoder();
        for await (const chunk of file.createReadStream({ start: position, autoClose: false })) {
          position += (chunk as Buffer).length;
          write(decoder.decode(chunk as Buffer, { stream: true }));
        }
        write(decoder.decode());
      } finally {
        await file.close();
      }
    }
    if (!isFollowing || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FOLLOW_INTERVAL_MS);
      signal.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }
}
