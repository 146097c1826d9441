/** What goes wrong with a folder that others write into: done to it as it happens, from a torn write to a lost watch. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Of Linux: events that a reader may be behind before the system forgets further ones. */
const QUEUE_LIMIT = "/proc/sys/fs/inotify/max_queued_events";
const QUEUE_MAX = 1_000_000;

/** The folder cannot be used, or have trouble of this kind; the message says why. */
export class FeedTroubleError extends Error {
  override readonly name = "FeedTroubleError";
}

/** Cuts a file short in place, as when its writer is interrupted. */
export function tear(path: string): void {
  const text = readFileSync(path);
  writeFileSync(path, text.subarray(0, text.length >> 1));
}

/** Puts a link that leads nowhere in the place of a file; `beside`: a name on the same file system. */
export function makeUnreadable(path: string, beside: string): void {
  symlinkSync(join("..", "not-there", "file.json"), beside);
  renameSync(beside, path);
}

/**
 * Moves a folder away; what is to be in its place later is a new folder, `next`, with the same files. It is made first: while
 * it is there, {@link restoreMoved} has something to do.
 */
export function moveAway(folder: string, away: string, next: string): void {
  mkdirSync(next);
  renameSync(folder, away);
  for (const entry of readdirSync(away, { withFileTypes: true })) {
    const [from, to] = [join(away, entry.name), join(next, entry.name)];
    // Folders have one name only.
    if (entry.isFile()) linkSync(from, to);
    else renameSync(from, to);
  }
}

/** Puts the new folder in place. */
export function moveBack(folder: string, away: string, next: string): void {
  renameSync(next, folder);
  rmSync(away, { recursive: true, force: true });
}

/** Puts back what a process that was killed had moved away, with what had changed meanwhile; mostly there is nothing to do. */
export function restoreMoved(folder: string, away: string, next: string): void {
  if (!existsSync(next)) {
    // Killed when the new folder was in place already.
    if (existsSync(folder)) rmSync(away, { recursive: true, force: true });
    return;
  }
  if (!existsSync(away)) {
    // Killed before anything was moved, or when everything was back.
    rmdirSync(next);
    return;
  }
  if (existsSync(folder)) {
    throw new FeedTroubleError(
      `A run that was killed had moved ${folder} to ${away}, and there is a new ${folder} now: move what you need from there and remove ${dirname(away)}.`,
    );
  }
  for (const name of readdirSync(next)) {
    renameSync(join(next, name), join(away, name));
    // Two names of one file are not renamed into one: what did not change is still there.
    rmSync(join(next, name), { force: true });
  }
  renameSync(away, folder);
  rmdirSync(next);
}

/** Replaces every file of a folder by one that says the same; `beside`: a folder on the same file system. */
export function rewriteAll(folder: string, beside: string): void {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of files) writeFileSync(join(beside, name), readFileSync(join(folder, name)));
  for (const { name } of files) renameSync(join(beside, name), join(folder, name));
}

/** Makes more events in a folder than the system keeps for a reader that does not read meanwhile. */
export function flood(folder: string): void {
  const limit = queueLimit();
  const names = ["flood-0.tmp", "flood-1.tmp"].map((name) => join(folder, name)) as [string, string];
  writeFileSync(names[0], "");
  // Two events each.
  for (let made = 0; made < limit * 2; made += 4) {
    renameSync(names[0], names[1]);
    renameSync(names[1], names[0]);
  }
}

/** Removes what a flood has left. */
export function drainFlood(folder: string): void {
  rmSync(join(folder, "flood-0.tmp"), { force: true });
}

function queueLimit(): number {
  let limit: number;
  try {
    limit = Number(readFileSync(QUEUE_LIMIT, "utf8"));
  } catch {
    throw new FeedTroubleError('"queue-overflow" needs the file events of Linux. Leave it out on this system.');
  }
  if (limit <= QUEUE_MAX) return limit;
  throw new FeedTroubleError(`"queue-overflow": ${QUEUE_LIMIT} is ${limit}, too many to be overrun. Lower it.`);
}
