import { type Command, EXIT, noPositionals, OUTPUT_FLAG, outputFormat } from "./command.ts";

export const versionCommand: Command = {
  name: "version",
  usage: "[-o table|json]",
  summary: "Print the version; needs no running mesh",
  flags: { output: OUTPUT_FLAG },
  examples: ["osm version", "osm version -o json"],
  async run(flags, context) {
    noPositionals(flags, "version");
    const { ownVersion } = await import("../main/mod.ts");
    const version = ownVersion();
    const isJson = outputFormat(flags, "version") === "json";
    context.write(isJson ? `${JSON.stringify({ version })}\n` : `osm ${version}\n`);
    return EXIT.ok;
  },
};
