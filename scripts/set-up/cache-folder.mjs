import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Our folder among the user's caches. */
export function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && isAbsolute(base) ? base : join(homedir(), ".cache"), "osm");
}
