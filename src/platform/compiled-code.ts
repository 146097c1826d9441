import module from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

const VARIABLE = "NODE_COMPILE_CACHE";

/**
 * Has this process, its threads and its children keep compiled code in the user's cache folder, unless the environment
 * names another one. Node takes types away with a WebAssembly program that costs every thread 25 MiB and a tenth of a
 * second; code that is found in the cache needs none of it. Call it before what is to be found there is imported.
 *
 * Deno has a cache of its own: nothing is done there. Nor is anything lost where the folder cannot be written.
 */
export function keepCompiledCode(): void {
  if ("Deno" in globalThis || process.env[VARIABLE] !== undefined) return;
  const base = process.env["XDG_CACHE_HOME"];
  const folder = join(base && isAbsolute(base) ? base : join(homedir(), ".cache"), "osm", "compiled-code");
  process.env[VARIABLE] = folder;
  module.enableCompileCache(folder);
}

/** Writes what has been compiled so far, which else happens when a process ends in peace. */
export function saveCompiledCode(): void {
  if (!("Deno" in globalThis)) module.flushCompileCache();
}
