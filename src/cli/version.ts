import { readFileSync } from "node:fs";
import { type Command, EXIT, noPositionals, OUTPUT_FLAG, outputFormat } from "./command.ts";

/** The version of this checkout or package. */
export function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

export const versionCommand: Command = {
  name: "version",
  usage: "[-o table|json]",
  summary: "Print the version; needs no running mesh",
  flags: { output: OUTPUT_FLAG },
  examples: ["osm version", "osm version -o json"],
  run(flags, context) {
    noPositionals(flags, "version");
    const version = ownVersion();
    const isJson = outputFormat(flags, "version") === "json";
    context.write(isJson ? `${JSON.stringify({ version })}\n` : `osm ${version}\n`);
    return Promise.resolve(EXIT.ok);
  },
};
