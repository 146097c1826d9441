import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { loadAll, YAMLException } from "js-yaml";
import type { Clock, Rejection } from "../lib/mod.ts";
import type { ImageCommands } from "./container-command.ts";
import { pause } from "./pause.ts";

/** At the top of the served folder: `images: {IMAGE: [PROGRAM, ARG...]}`. */
export const LOCAL_FILE = "osm.local.yaml";

const CHECK_MS = 250;
/** A file that is written in place has rested this long when it is read. */
const REST_MS = 20;
/** Nobody waits longer than 2 s for the first state. */
const FIRST_TRIES = 100;

/**
 * Reads the text of `osm.local.yaml`; `problems` say what of it has no effect. Without `images` nothing of it could be read.
 */
export function readImageCommands(text: string): {
  readonly images?: ImageCommands;
  readonly problems: readonly Rejection[];
} {
  const images = new Map<string, readonly string[]>();
  const problems: Rejection[] = [];
  let document: unknown;
  try {
    [document] = loadAll(text);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return { problems: [{ ...unreadable(`is no YAML: ${error.reason}`, "syntax-error"), line: lineOf(error) }] };
  }
  if (document === null || document === undefined) return { images, problems };
  const entries = isMapping(document) ? document.images : undefined;
  if (!isMapping(entries)) {
    return { problems: [unreadable('has no mapping "images": write images: {IMAGE: [PROGRAM, ARG...]}', "schema")] };
  }
  for (const [image, command] of Object.entries(entries)) {
    const words = Array.isArray(command)
      ? command.map((word: unknown) => (typeof word === "number" ? String(word) : word))
      : [];
    if (words.length > 0 && words.every((word) => typeof word === "string")) images.set(image, words);
    else problems.push(wrongEntry(image));
  }
  return { images, problems };
}

const OBJECT = { kind: "", namespace: "", name: "", file: LOCAL_FILE } as const;

function unreadable(what: string, reason: string): Rejection {
  const message = `the file ${what}. Correct it; until then what it said last stays in force`;
  return { ...OBJECT, strength: "object", field: "", reason, message };
}

function lineOf({ mark }: YAMLException): number {
  return (mark?.line ?? 0) + 1;
}

function wrongEntry(image: string): Rejection {
  const field = `images["${image}"]`;
  const message = `${field} is no list of strings: write [PROGRAM, ARG...]`;
  return { ...OBJECT, strength: "part", field, reason: "schema", message };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/**
 * Follows `osm.local.yaml` in `dir`. `onChange` hears every state that came to rest; a file that cannot be read changes
 * nothing until it can.
 */
export async function watchImageCommands(options: {
  readonly dir: string;
  readonly clock: Clock;
  readonly onChange: (images: ImageCommands, problems: readonly Rejection[]) => void;
}): Promise<{ stop(): void }> {
  const path = join(options.dir, LOCAL_FILE);
  let seen: string | undefined;
  let last: ImageCommands = new Map();
  let cancel = () => {};
  /** Whether the file was at rest. */
  const check = async (): Promise<boolean> => {
    const stamp = await stampOf(path);
    if (stamp === seen) return true;
    await pause(options.clock, REST_MS);
    if ((await stampOf(path)) !== stamp) return false;
    seen = stamp;
    const text = stamp === "" ? "" : await readFile(path, "utf8").catch(() => "");
    const { images, problems } = readImageCommands(text);
    if (images !== undefined) last = images;
    options.onChange(last, problems);
    return true;
  };
  const again = () => {
    cancel = options.clock.after(CHECK_MS, () => void check().then(again));
  };
  for (let tries = 0; tries < FIRST_TRIES && !(await check()); tries += 1);
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
