import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { contentHash } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { Appender, CHUNK_BYTES, Window } from "./file-chunks.ts";
import { codeOf } from "./folder-scan.ts";
import type { ManifestObject } from "./manifest-text.ts";

/** What a file says from now on; nothing, when undefined. */
export interface JournalChange {
  readonly file: string;
  readonly content: { readonly digest: string; readonly objects: readonly ManifestObject[] } | undefined;
}

/** The first line of a record. So many bytes of objects follow, one object a line: `<line number> <JSON>`. */
interface Header {
  readonly file: string;
  /** Absent where the file is gone. */
  readonly digest?: string;
  readonly bytes: number;
}

/** Where the last record of a file is, header included. */
interface Place {
  readonly offset: number;
  readonly bytes: number;
  readonly headerBytes: number;
  readonly digest: string;
}

/** A line break ends every header before that: paths have at most 4096 bytes. */
const HEADER_MAX_BYTES = 32 * 1024;
const UTF_8 = new TextDecoder();
/** Records that later ones have replaced may take so much, and as much as those that count. */
const STALE_MAX_BYTES = 1024 * 1024;

/**
 * What files said last, in one file on disk to which records are added, the last one of a file counts. When more than half
 * of it, and a mebibyte, is stale, what counts is written to a new one, which takes its place: until then what a file no
 * longer says, or said before it was removed, is still in it. Whatever was cut off while it was written is
 * left out: all before it stands. Where there can be no new file, nothing more is added once twice as much is stale. Calls must
 * not overlap; they throw what the system throws. A journal whose `write` has thrown is to be opened anew: what was there
 * before stands, and perhaps some of what was to be written.
 */
export class LastGoodJournal {
  readonly #path: string;
  /** In the order of their offsets. */
  readonly #places = new Map<string, Place>();
  #end = 0;
  #liveBytes = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Reads what is in the file at this path, which need not be there. */
  static async open(path: string): Promise<LastGoodJournal> {
    const journal = new LastGoodJournal(path);
    await rm(stagedPath(path), { force: true });
    let handle: FileHandle;
    try {
      handle = await open(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return journal;
      throw error;
    }
    try {
      await journal.#index(handle);
    } finally {
      await handle.close();
    }
    return journal;
  }

  files(): Iterable<string> {
    return this.#places.keys();
  }

  digestOf(file: string): string | undefined {
    return this.#places.get(file)?.digest;
  }

  /** The objects of a file; undefined where there are none that are whole. */
  async read(file: string): Promise<readonly ManifestObject[] | undefined> {
    const place = this.#places.get(file);
    if (place === undefined) return undefined;
    const handle = await open(this.#path);
    try {
      const bytes = await new Window(handle, place.bytes).at(place.offset, place.bytes);
      const objects = await parseLines(bytes.subarray(place.headerBytes));
      if (objects !== undefined && digestOf(objects) === place.digest) return objects;
      // Else it would pass for kept when the file says the same again.
      this.#note(file, undefined);
      return undefined;
    } finally {
      await handle.close();
    }
  }

  async write(changes: Iterable<JournalChange>): Promise<void> {
    // It could not be made smaller after the last change.
    if (this.#hasStale(2)) await this.#compact();
    const places: [file: string, place: Place | undefined][] = [];
    const handle = await openForWriting(this.#path);
    let offset = 0;
    try {
      const { size } = await handle.stat();
      // Somebody has removed it, or some of what was in it.
      if (size < this.#end) {
        this.#forget();
        await this.#index(handle);
      }
      // Something of a record that could not be written whole.
      if (size > this.#end) await handle.truncate(this.#end);
      offset = this.#end;
      const out = new Appender(handle, offset);
      for (const { file, content } of changes) {
        const { lines, bytes } = await encodeLines(content?.objects ?? []);
        const header = Buffer.from(`${JSON.stringify({ file, digest: content?.digest, bytes })}\n`);
        const place = { offset, headerBytes: header.length, bytes: header.length + bytes };
        places.push([file, content === undefined ? undefined : { ...place, digest: content.digest }]);
        offset += place.bytes;
        out.add(header);
        for (const line of lines) if (out.add(line)) await out.flush();
      }
      await out.flush();
    } finally {
      await handle.close();
    }
    this.#end = offset;
    for (const [file, place] of places) this.#note(file, place);
    if (this.#places.size === 0) await this.#clear();
    else if (this.#hasStale(1)) await this.#compact();
  }

  /** Whether so many times as much is stale as may be. */
  #hasStale(times: number): boolean {
    return this.#end - this.#liveBytes > times * (this.#liveBytes + STALE_MAX_BYTES);
  }

  #note(file: string, place: Place | undefined): void {
    this.#liveBytes -= this.#places.get(file)?.bytes ?? 0;
    this.#places.delete(file);
    if (place === undefined) return;
    this.#places.set(file, place);
    this.#liveBytes += place.bytes;
  }

  async #index(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    const window = new Window(handle);
    while (this.#end < size) {
      const found = parseHeader(await window.at(this.#end, Math.min(HEADER_MAX_BYTES, size - this.#end)));
      if (found === undefined) return;
      const { header, headerBytes } = found;
      const bytes = headerBytes + header.bytes;
      if (this.#end + bytes > size) return;
      const { digest } = header;
      this.#note(header.file, digest === undefined ? undefined : { offset: this.#end, bytes, headerBytes, digest });
      this.#end += bytes;
    }
  }

  async #clear(): Promise<void> {
    await rm(this.#path, { force: true });
    this.#forget();
  }

  #forget(): void {
    this.#places.clear();
    this.#end = 0;
    this.#liveBytes = 0;
  }

  async #compact(): Promise<void> {
    const places: [file: string, place: Place][] = [];
    let end = 0;
    const from = await open(this.#path);
    try {
      const to = await open(stagedPath(this.#path), "w", 0o600);
      try {
        const window = new Window(from);
        const out = new Appender(to, 0);
        for (const [file, place] of this.#places) {
          if (out.add(await window.at(place.offset, place.bytes))) await out.flush();
          places.push([file, { ...place, offset: end }]);
          end += place.bytes;
        }
        await out.flush();
        // Else the new name may be on disk before the bytes, and a machine that stops then has neither.
        await to.sync();
      } finally {
        await to.close();
      }
      await rename(stagedPath(this.#path), this.#path);
    } finally {
      await from.close();
    }
    this.#end = end;
    for (const [file, place] of places) this.#note(file, place);
  }
}

/** Tells what objects say from what others say: by their places and their own hashes. */
export function digestOf(objects: readonly ManifestObject[]): string {
  return contentHash(objects.map(({ line, hash }) => `${line} ${hash}`).join("\n"));
}

const stagedPath = (path: string) => `${path}.new`;

async function openForWriting(path: string): Promise<FileHandle> {
  const begin = () => open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    return await begin();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return begin();
  }
}

function parseHeader(bytes: Uint8Array): { readonly header: Header; readonly headerBytes: number } | undefined {
  const lineBreak = bytes.indexOf(0x0a);
  if (lineBreak < 0) return undefined;
  try {
    const header = JSON.parse(UTF_8.decode(bytes.subarray(0, lineBreak))) as Header;
    const isHeader = typeof header.file === "string" && Number.isSafeInteger(header.bytes) && header.bytes >= 0;
    return isHeader ? { header, headerBytes: lineBreak + 1 } : undefined;
  } catch {
    // Not written whole.
    return undefined;
  }
}

/** Lets everything else go first after each chunk, as `parseLines` does: a file may have many megabytes. */
async function encodeLines(objects: readonly ManifestObject[]) {
  const lines: Buffer[] = [];
  let bytes = 0;
  let sliceEnd = CHUNK_BYTES;
  for (const { line, json } of objects) {
    const text = Buffer.from(`${line} ${json}\n`);
    lines.push(text);
    bytes += text.length;
    if (bytes < sliceEnd) continue;
    await nextTurn();
    sliceEnd = bytes + CHUNK_BYTES;
  }
  return { lines, bytes };
}

async function parseLines(bytes: Uint8Array): Promise<readonly ManifestObject[] | undefined> {
  const objects: ManifestObject[] = [];
  let sliceEnd = CHUNK_BYTES;
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return undefined;
    try {
      objects.push(parseLine(UTF_8.decode(bytes.subarray(at, end))));
    } catch {
      // What the system kept of it is not what was written.
      return undefined;
    }
    at = end + 1;
    if (at < sliceEnd) continue;
    await nextTurn();
    sliceEnd = at + CHUNK_BYTES;
  }
  return objects;
}

function parseLine(text: string): ManifestObject {
  const json = text.slice(text.indexOf(" ") + 1);
  const { apiVersion, kind, metadata } = JSON.parse(json) as {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace?: string };
  };
  const namespace = metadata.namespace ?? "";
  const line = Number.parseInt(text, 10);
  return { apiVersion, kind, namespace, name: metadata.name, line, json, hash: contentHash(json) };
}
