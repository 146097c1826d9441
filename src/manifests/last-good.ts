import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, contentHash, type Log } from "../lib/mod.ts";
import { codeOf } from "./folder-scan.ts";
import type { ManifestObject } from "./manifest-text.ts";

/**
 * What each file said when it could last be read, kept on disk, so that a restart while a file is broken changes
 * nothing. One entry a manifest, removed with it. Entries are written behind, one at a time.
 */
export interface LastGood {
  /** Undefined when the file could never be read. */
  load(file: string): Promise<readonly ManifestObject[] | undefined>;
  /** Those of the files with an entry that `isWanted`. Looks into each entry: for what is seldom. */
  filesOf(isWanted: (file: string) => boolean): Promise<readonly string[]>;
  save(file: string, objects: readonly ManifestObject[]): void;
  remove(file: string): void;
  /** Removes the entries of all other files. */
  keepOnly(files: ReadonlySet<string>): void;
  /** Resolves when everything asked for so far is on disk. */
  flushed(): Promise<void>;
}

/** The first line of an entry. The objects follow, one a line: `<line number> <JSON>`. */
interface Header {
  readonly file: string;
  readonly digest: string;
}

const HEADER_MAX_BYTES = 8192;
/** What changes again in this time is written once. */
const BEHIND_MS = 1000;

/** Keeps entries in `dir`, which is created when the first one is written. */
export function createLastGood(dir: string, { clock, log }: { readonly clock: Clock; readonly log: Log }): LastGood {
  /** What is to be written or, when undefined, removed; the newest wish for a file alone counts. */
  const wishes = new Map<string, readonly ManifestObject[] | undefined>();
  let worker: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  /** Names of the entries to keep, when others are to be removed. */
  let kept: ReadonlySet<string> | undefined;
  let hasWarned = false;
  /** Of what an entry holds for certain: what says the same is not written again, and not looked at. */
  const digests = new Map<string, string>();

  const entryPath = (file: string) => join(dir, `${contentHash(file)}.manifest`);
  const prune = async () => {
    const names = kept;
    kept = undefined;
    if (names !== undefined) await removeOthers(dir, names);
  };
  const grant = async (file: string, objects: readonly ManifestObject[] | undefined) => {
    wishes.delete(file);
    const digest = objects === undefined ? undefined : digestOf(objects);
    if (digest !== undefined && digests.get(file) === digest) return;
    const isKnown = digests.delete(file);
    try {
      if (objects === undefined || digest === undefined) {
        await rm(entryPath(file), { force: true });
        return;
      }
      if (isKnown || (await readHeader(entryPath(file)))?.digest !== digest) {
        await writeEntry(entryPath(file), { file, digest }, objects);
      }
      digests.set(file, digest);
    } catch (error) {
      if (!hasWarned) log.warn("last good manifests are not kept", { dir, error: codeOf(error) });
      hasWarned = true;
    }
  };
  const work = async () => {
    while (kept !== undefined || wishes.size > 0) {
      await prune();
      for (const [file, objects] of wishes) {
        await grant(file, objects);
        break;
      }
    }
    worker = undefined;
  };
  const begin = () => {
    cancelTimer?.();
    cancelTimer = undefined;
    if (kept !== undefined || wishes.size > 0) worker ??= work();
  };
  const wish = (file: string, objects: readonly ManifestObject[] | undefined) => {
    wishes.set(file, objects);
    if (worker === undefined) cancelTimer ??= clock.after(BEHIND_MS, begin);
  };

  return {
    async load(file) {
      const wished = wishes.get(file);
      if (wished !== undefined) return wished;
      try {
        return parseEntry(await readFile(entryPath(file), "utf8"), file);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") log.warn("a last good manifest cannot be read", { file, error: codeOf(error) });
        return undefined;
      }
    },
    async filesOf(isWanted) {
      const files: string[] = [];
      for (const name of await entryNames(dir)) {
        const file = (await readHeader(join(dir, name)))?.file;
        if (typeof file === "string" && isWanted(file)) files.push(file);
      }
      return files;
    },
    save: wish,
    remove: (file) => wish(file, undefined),
    keepOnly(files) {
      kept = new Set([...files].map((file) => `${contentHash(file)}.manifest`));
      begin();
    },
    async flushed() {
      for (begin(); worker !== undefined; begin()) await worker;
    },
  };
}

async function removeOthers(dir: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await entryNames(dir)) {
    // What cannot be removed now is removed at the next start.
    if (!kept.has(name)) await rm(join(dir, name), { force: true }).catch(() => {});
  }
}

/** Also of entries that were not written to their end. */
async function entryNames(dir: string): Promise<readonly string[]> {
  // Without the folder there are none.
  const names = await readdir(dir).catch((): string[] => []);
  return names.filter((name) => /\.manifest(\.new)?$/.test(name));
}

function digestOf(objects: readonly ManifestObject[]): string {
  return contentHash(objects.map(({ line, hash }) => `${line} ${hash}`).join("\n"));
}

async function writeEntry(path: string, header: Header, objects: readonly ManifestObject[]): Promise<void> {
  const lines = [JSON.stringify(header), ...objects.map(({ line, json }) => `${line} ${json}`)];
  const text = lines.join("\n");
  const write = () => writeFile(`${path}.new`, text, { mode: 0o600 });
  await write().catch(async (error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await write();
  });
  await rename(`${path}.new`, path);
}

async function readHeader(path: string): Promise<Header | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path);
  } catch {
    // No entry yet.
    return undefined;
  }
  try {
    const buffer = new Uint8Array(HEADER_MAX_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    const [line] = new TextDecoder().decode(buffer.subarray(0, bytesRead)).split("\n");
    return JSON.parse(line ?? "") as Header;
  } catch {
    // Broken entries are written anew.
    return undefined;
  } finally {
    await handle.close();
  }
}

/** The objects of an entry; undefined when it is another file's or not whole. */
function parseEntry(text: string, file: string): readonly ManifestObject[] | undefined {
  const [first, ...lines] = text.split("\n");
  try {
    if ((JSON.parse(first ?? "") as Header).file !== file) return undefined;
    return lines.map((line) => {
      const json = line.slice(line.indexOf(" ") + 1);
      const { apiVersion, kind, metadata } = JSON.parse(json) as {
        apiVersion: string;
        kind: string;
        metadata: { name: string; namespace?: string };
      };
      const namespace = metadata.namespace ?? "";
      return {
        apiVersion,
        kind,
        namespace,
        name: metadata.name,
        line: Number.parseInt(line, 10),
        json,
        hash: contentHash(json),
      };
    });
  } catch {
    return undefined;
  }
}
