import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { Clock } from "../lib/mod.ts";
import type { ImageCommands } from "./container-command.ts";

/** At the top of the served folder: `images: {IMAGE: [PROGRAM, ARG...]}`. */
export const LOCAL_FILE = "osm.local.yaml";

const CHECK_MS = 250;

/** Reads the text of `osm.local.yaml`; `problems` are sentences that say what of it has no effect. */
export function readImageCommands(text: string): {
  readonly images: ImageCommands;
  readonly problems: readonly string[];
} {
  const images = new Map<string, readonly string[]>();
  const problems: string[] = [];
  let document: unknown;
  try {
    [document] = loadAll(text);
  } catch (error) {
    return {
      images,
      problems: [`${LOCAL_FILE} is no YAML: ${error instanceof Error ? error.message : String(error)}`],
    };
  }
  if (document === null || document === undefined) return { images, problems };
  const entries = isMapping(document) ? document.images : undefined;
  if (!isMapping(entries)) {
    return { images, problems: [`${LOCAL_FILE} has no mapping "images": write images: {IMAGE: [PROGRAM, ARG...]}`] };
  }
  for (const [image, command] of Object.entries(entries)) {
    const words = Array.isArray(command)
      ? command.map((word: unknown) => (typeof word === "number" ? String(word) : word))
      : [];
    if (words.length > 0 && words.every((word) => typeof word === "string")) images.set(image, words);
    else problems.push(`${LOCAL_FILE}: images["${image}"] is no list of strings: write [PROGRAM, ARG...]`);
  }
  return { images, problems };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/**
 * Follows `osm.local.yaml` in `dir`. `onChange` hears the first state before this resolves, and every other later. A file
 * that cannot be read as YAML changes nothing until it can.
 */
export async function watchImageCommands(options: {
  readonly dir: string;
  readonly clock: Clock;
  readonly onChange: (images: ImageCommands, problems: readonly string[]) => void;
}): Promise<{ stop(): void }> {
  const path = join(options.dir, LOCAL_FILE);
  let seen = "";
  let cancel = () => {};
  const check = async () => {
    const stamp = await stampOf(path);
    if (stamp === seen) return;
    seen = stamp;
    const text = stamp === "" ? "" : await readFile(path, "utf8").catch(() => "");
    const { images, problems } = readImageCommands(text);
    options.onChange(images, problems);
  };
  const again = () => {
    cancel = options.clock.after(CHECK_MS, () => void check().then(again));
  };
  await check();
  again();
  return { stop: () => cancel() };
}

/** What tells one content of a file from the next without reading it; empty without a file. */
async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    // Without the file no image has an entry, which the pods that need one say.
    return "";
  }
}
