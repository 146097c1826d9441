import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Scenario } from "./scenario.ts";
import { readScenario } from "./scenario-file.ts";
import { hint } from "./scenario-node.ts";
import type { Setting } from "./scenario-yaml.ts";

const FOLDER = new URL("./scenarios/", import.meta.url);

/** Names of the scenarios that come with the program, in ascending order. */
export function libraryNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => basename(name, ".yaml"))
    .sort();
}

/** A scenario that comes with the program. Throws {@link ScenarioError} when a setting does not fit. */
export function libraryScenario(name: string, settings: readonly Setting[] = []): Scenario {
  return readScenario(readFileSync(new URL(`${name}.yaml`, FOLDER), "utf8"), name, settings);
}

/** The name that was meant, for a message. */
export function libraryHint(name: string): string {
  return hint(name, libraryNames());
}
