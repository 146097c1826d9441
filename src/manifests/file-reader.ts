import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { contentHash } from "../lib/mod.ts";
import { type Fingerprint, fingerprintOf, isSameFingerprint, unreadableMessage } from "./folder-scan.ts";
import { type ParsedFile, parseJsonManifest, parseManifestText, unreadableFile } from "./manifest-text.ts";

/** Text to read on another thread. */
export interface ParseJob {
  /** Relative path, for reports. */
  readonly file: string;
  readonly text: string;
}
/** Reads big texts; rejects when it cannot, with a message for the user. */
export type Parse = (job: ParseJob) => Promise<ParsedFile>;

/** What a file said. */
export interface Reading {
  /** Undefined when the text is that of `before`. */
  readonly parsed: ParsedFile | undefined;
  /** Hash of the text, of small files. */
  readonly content: string | undefined;
}

/** Larger files are refused unread. */
const FILE_MAX_BYTES = 64 * 1024 * 1024;
const UTF_8 = new TextDecoder("utf-8", { fatal: true });
/** Smaller ones are read on the spot: handing them over would take longer. */
export const SMALL_MAX_BYTES = 64 * 1024;

/**
 * Reads and parses one manifest, unless it is a small one whose text has the hash `before`. Undefined when the file is not
 * (or no longer) in the state that `expected` tells: it is being written, and what was read may be half of it.
 */
export async function readManifest(
  root: string,
  file: string,
  expected: Fingerprint,
  { parse, before }: { readonly parse: Parse; readonly before: string | undefined },
): Promise<Reading | undefined> {
  const unreadable = (reason: string, found: string) => ({
    parsed: unreadableFile(file, 1, reason, found),
    content: undefined,
  });
  if (expected.size > FILE_MAX_BYTES) {
    const found = `The file has ${expected.size} bytes, more than ${FILE_MAX_BYTES}; split it`;
    return unreadable("file-too-large", found);
  }
  const isSmall = expected.size <= SMALL_MAX_BYTES;
  let bytes: Uint8Array | undefined;
  try {
    const path = join(root, file);
    bytes = isSmall ? readSmallStill(path, expected) : await readStill(path, expected);
  } catch (error) {
    return unreadable("file-unreadable", unreadableMessage(error).replace(/\.$/, ""));
  }
  if (bytes === undefined) return undefined;
  const content = isSmall ? contentHash(bytes) : undefined;
  if (isSmall && content === before) return { parsed: undefined, content };
  let text: string;
  try {
    text = UTF_8.decode(bytes);
  } catch {
    return unreadable("not-text", "The file is no UTF-8 text");
  }
  try {
    return { parsed: isSmall ? parseManifestText(text, file) : await parse({ file, text }), content };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return unreadable("parsing-failed", `The file could not be parsed (${cause})`);
  }
}

/**
 * What a small file says when it is one whole JSON object: no part of one that is still being written is. Undefined when
 * it is not, or not in the expected state.
 */
export function readWholeJson(
  root: string,
  file: string,
  expected: Fingerprint,
  before: string | undefined,
): Reading | undefined {
  try {
    const bytes = readSmallStill(join(root, file), expected);
    if (bytes === undefined) return undefined;
    const content = contentHash(bytes);
    if (content === before) return { parsed: undefined, content };
    const parsed = parseJsonManifest(UTF_8.decode(bytes), file);
    return parsed && { parsed, content };
  } catch {
    // It is read again when it rests, and what is wrong with it is told then.
    return undefined;
  }
}

/** A pipe that took the file's place must not hold the thread. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * As {@link readStill}, on the spot: the file system has just answered for this file, and six times there and back to a
 * thread that waits for it take longer than all else between a change and the first proxy that hears of it.
 */
function readSmallStill(path: string, expected: Fingerprint): Uint8Array | undefined {
  const handle = openSync(path, FLAGS);
  try {
    if (!isSameFingerprint(fingerprintOf(fstatSync(handle)), expected)) return undefined;
    const bytes = new Uint8Array(expected.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(handle, bytes, length, bytes.length - length, length);
      if (count === 0) return undefined;
      length += count;
    }
    return isSameFingerprint(fingerprintOf(fstatSync(handle)), expected) ? bytes : undefined;
  } finally {
    closeSync(handle);
  }
}

/** The file's bytes if it is in the expected state before and after. */
async function readStill(path: string, expected: Fingerprint): Promise<Uint8Array | undefined> {
  const handle = await open(path, FLAGS);
  try {
    if (!isSameFingerprint(fingerprintOf(await handle.stat()), expected)) return undefined;
    const bytes = await handle.readFile();
    return isSameFingerprint(fingerprintOf(await handle.stat()), expected) ? bytes : undefined;
  } finally {
    await handle.close();
  }
}
