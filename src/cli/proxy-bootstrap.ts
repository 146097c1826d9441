import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeFolder } from "../platform/mod.ts";
import { meshClient, requireHostPort } from "./client.ts";
import { ADMIN_FLAG, type Command, CommandError, EXIT, NAMESPACE_FLAG, onlyPositional, stringFlag } from "./command.ts";

export const proxyBootstrapCommand: Command = {
  name: "proxy bootstrap",
  usage: "POD -n NS -o DIR [--xds HOST:PORT]",
  summary: "Write a bootstrap with credentials, so that an Envoy of your own can be this pod's proxy",
  flags: {
    namespace: NAMESPACE_FLAG,
    "output-dir": {
      type: "string",
      short: "o",
      value: "DIR",
      help: "folder for the files (made when missing); the keys in it are of mode 0600",
    },
    xds: {
      type: "string",
      value: "HOST:PORT",
      help: "where that Envoy reaches the control plane (default: its own address)",
    },
    admin: ADMIN_FLAG,
  },
  examples: ["osm proxy bootstrap bookbuyer -n bookbuyer -o /tmp/bookbuyer && envoy -c /tmp/bookbuyer/bootstrap.yaml"],
  async run(flags, context) {
    const pod = onlyPositional(flags, "proxy bootstrap", "POD");
    const directory = stringFlag(flags, "output-dir");
    if (directory === undefined) throw new CommandError("osm proxy bootstrap: -o DIR is missing", EXIT.usage);
    const xds = stringFlag(flags, "xds");
    if (xds !== undefined) requireHostPort(xds, "osm proxy bootstrap: --xds");
    const namespace = stringFlag(flags, "namespace") ?? "default";
    const target = resolve(context.cwd, directory);
    const answer = (await meshClient(flags, context).control(
      "POST",
      `/proxies/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/bootstrap`,
      { xds, directory: target },
    )) as { files: Readonly<Record<string, string>> };
    await writeFiles(target, answer.files);
    context.note(
      `Wrote ${Object.keys(answer.files).length} files to ${target}; start with: envoy -c ${join(target, "bootstrap.yaml")}\n`,
    );
    return EXIT.ok;
  },
};

async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  try {
    makeFolder(directory, 0o700);
    for (const [name, content] of Object.entries(files)) {
      // A file that is there would keep its mode.
      await rm(join(directory, name), { force: true });
      await writeFile(join(directory, name), content, { mode: 0o600 });
    }
  } catch (error) {
    throw new CommandError(
      `The folder ${directory} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
