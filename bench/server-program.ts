/** What a bench starts as its control plane: this checkout's, on Node or on Deno. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const RUNTIMES = ["node", "deno"] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

export interface ServerProgram {
  readonly runtime: { readonly name: RuntimeName; readonly version: string };
  /** Program and arguments up to the name of osm's command. */
  readonly command: readonly string[];
  /** Further flags of `osm serve`. */
  readonly flags: readonly string[];
}

const CLI = fileURLToPath(new URL("../src/main/cli.ts", import.meta.url));

/** Throws when there is no Deno in the path. The simulated proxies stay on Node: what differs is the control plane alone. */
export function serverProgram(name: RuntimeName, flags: readonly string[]): ServerProgram {
  if (name === "node") {
    return { runtime: { name, version: process.versions.node }, command: [process.execPath, CLI], flags };
  }
  const version = execFileSync("deno", ["--version"], { encoding: "utf8" }).split(" ", 2)[1] ?? "unknown";
  return { runtime: { name, version }, command: ["deno", "run", "-A", CLI], flags };
}
