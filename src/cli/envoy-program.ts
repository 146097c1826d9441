import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { type CommandContext, CommandError } from "./command.ts";

/**
 * The Envoy to run: what OSM_ENVOY names, else the one in PATH; undefined when there is none. Throws {@link CommandError}
 * when OSM_ENVOY names no program.
 */
export function findEnvoy({ env, cwd }: CommandContext, command: string): string | undefined {
  const named = env["OSM_ENVOY"] ?? "";
  if (named === "")
    return (env["PATH"] ?? "")
      .split(delimiter)
      .map((dir) => join(dir, "envoy"))
      .find(isProgram);
  const path = resolve(cwd, named);
  if (isProgram(path)) return path;
  throw new CommandError(`osm ${command}: OSM_ENVOY names ${named}, which is no program that can be run`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
