import { libraryNames, libraryScenario, namedShapes } from "../fleet/mod.ts";
import { type Command, EXIT, noPositionals, OUTPUT_FLAG, outputFormat } from "./command.ts";
import { table } from "./table.ts";

export const fleetListCommand: Command = {
  name: "fleet list",
  usage: "[-o json]",
  summary: "List the scenarios that come with osm",
  flags: { output: OUTPUT_FLAG },
  examples: ["osm fleet list"],
  async run(flags, context) {
    noPositionals(flags, "fleet list");
    const scenarios = libraryNames().map((name) => libraryScenario(name));
    if (outputFormat(flags, "fleet list") === "json") {
      context.write(`${JSON.stringify(scenarios)}\n`);
      return EXIT.ok;
    }
    const rows = scenarios.map(({ name, workload, shapeName, proxies, description }) => [
      name,
      workload,
      shapeName,
      String(proxies),
      description,
    ]);
    context.write(table(["name", "workload", "shape", "proxies", "what"], rows));
    return EXIT.ok;
  },
};

export const fleetShapesCommand: Command = {
  name: "fleet shapes",
  usage: "[-o json]",
  summary: "List the shapes of meshes that scenarios can name",
  flags: { output: OUTPUT_FLAG },
  examples: ["osm fleet shapes"],
  async run(flags, context) {
    noPositionals(flags, "fleet shapes");
    if (outputFormat(flags, "fleet shapes") === "json") {
      context.write(`${JSON.stringify(namedShapes)}\n`);
      return EXIT.ok;
    }
    const rows = namedShapes.map(({ name, summary, shape }) => [
      name,
      String(shape.services),
      String(shape.pods),
      shape.mode,
      shape.calls.kind,
      summary,
    ]);
    context.write(table(["name", "services", "pods each", "mode", "calls", "what"], rows));
    return EXIT.ok;
  },
};
