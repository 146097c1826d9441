import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Fingerprint, fingerprintOf, isSameFingerprint, unreadableMessage } from "./folder-scan.ts";
import { type ParsedFile, parseManifestText, unreadableFile } from "./manifest-text.ts";

/** Text to read on another thread. */
export interface ParseJob {
  /** Relative path, for reports. */
  readonly file: string;
  readonly text: string;
}
/** Reads big texts; rejects when it cannot, with a message for the user. */
export type Parse = (job: ParseJob) => Promise<ParsedFile>;

/** Larger files are refused unread. */
const FILE_MAX_BYTES = 64 * 1024 * 1024;
/** Smaller ones are read on the spot: handing them over would take longer. */
export const SMALL_MAX_BYTES = 64 * 1024;

/**
 * Reads and parses one manifest. Undefined when the file is not (or no longer) in the state that `expected` tells: it is
 * being written, and what was read may be half of it.
 */
export async function readManifest(
  root: string,
  file: string,
  expected: Fingerprint,
  parse: Parse,
): Promise<ParsedFile | undefined> {
  if (expected.size > FILE_MAX_BYTES) {
    const found = `The file has ${expected.size} bytes, more than ${FILE_MAX_BYTES}; split it`;
    return unreadableFile(file, 1, "file-too-large", found);
  }
  let bytes: Uint8Array | undefined;
  try {
    const path = join(root, file);
    bytes = expected.size <= SMALL_MAX_BYTES ? readSmallStill(path, expected) : await readStill(path, expected);
  } catch (error) {
    return unreadableFile(file, 1, "file-unreadable", unreadableMessage(error).replace(/\.$/, ""));
  }
  if (bytes === undefined) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return unreadableFile(file, 1, "not-text", "The file is no UTF-8 text");
  }
  try {
    return bytes.length <= SMALL_MAX_BYTES ? parseManifestText(text, file) : await parse({ file, text });
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return unreadableFile(file, 1, "parsing-failed", `The file could not be parsed (${cause})`);
  }
}

/**
 * What a small file says when it is one whole JSON object: no part of one that is still being written is. Undefined when
 * it is not, or not in the expected state.
 */
export function readWholeJson(root: string, file: string, expected: Fingerprint): ParsedFile | undefined {
  try {
    const bytes = readSmallStill(join(root, file), expected);
    if (bytes === undefined) return undefined;
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return isObject(JSON.parse(text)) ? parseManifestText(text, file) : undefined;
  } catch {
    // It is read again when it rests, and what is wrong with it is told then.
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
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
