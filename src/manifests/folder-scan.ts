import type { Dirent, Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** What tells one state of a file from another without reading it. */
export interface Fingerprint {
  readonly inode: number;
  readonly size: number;
  readonly modifiedMs: number;
  /** Last change of the inode: a rename or new permissions, which leave `modifiedMs` alone. */
  readonly changedMs: number;
}

/** Something in the folder that cannot be taken as a manifest or a folder of them. */
export interface ScanProblem {
  /** Relative path; `.` for the folder itself. */
  readonly path: string;
  readonly reason: string;
  readonly message: string;
}

export interface FolderScan {
  /** By path relative to the folder, with `/`. */
  readonly files: ReadonlyMap<string, Fingerprint>;
  /** Relative paths of all folders (the top one is empty), with what identifies each on this machine. */
  readonly directories: ReadonlyMap<string, string>;
  /** Folders with links to files: a change of theirs may change what a link leads to. */
  readonly withLinks: ReadonlySet<string>;
  readonly problems: readonly ScanProblem[];
  /** Folders and files that could not be looked at: what is known of them stands. */
  readonly unlisted: readonly string[];
  /** Links that lead nowhere: what was read where they are now stands as well. */
  readonly dangling: ReadonlySet<string>;
}

/** What one folder may hold before the rest is reported and left out. */
const FILES_MAX = 100_000;
const DIRECTORIES_MAX = 10_000;
const PROBLEMS_MAX = 10_000;
/**
 * Asked for at a time: threads are woken for several files and not for each, there and back, which takes more than half of
 * the time. Those may be all threads that the runtime has for it; of a disk that hangs, the folder itself was asked first.
 */
const STATS_AT_A_TIME = 32;

/** Read by others, in a format of its own. */
const LOCAL_SETTINGS = "osm.local.yaml";

/** Whether a file of this relative path is a manifest, by its name alone. */
export function isManifestPath(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /\.(ya?ml|json)$/.test(name) && !name.startsWith(".") && path !== LOCAL_SETTINGS;
}

export function fingerprintOf(stats: Stats): Fingerprint {
  return { inode: stats.ino, size: stats.size, modifiedMs: stats.mtimeMs, changedMs: stats.ctimeMs };
}

/** Tells a folder from another that took its name. */
export function directoryId(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

export function isSameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return a.inode === b.inode && a.size === b.size && a.modifiedMs === b.modifiedMs && a.changedMs === b.changedMs;
}

interface Walk {
  readonly root: string;
  readonly files: Map<string, Fingerprint>;
  readonly directories: Map<string, string>;
  readonly pathById: Map<string, string>;
  readonly withLinks: Set<string>;
  readonly problems: ScanProblem[];
  readonly unlisted: string[];
  readonly dangling: Set<string>;
}

/**
 * Lists the manifests of a folder and its sub-folders, following links, each folder once. `onDirectory` is called before
 * a folder is listed, so that a watcher set there misses nothing.
 */
export async function scanFolder(root: string, onDirectory: (path: string, id: string) => void): Promise<FolderScan> {
  const walk: Walk = {
    root,
    files: new Map(),
    directories: new Map(),
    pathById: new Map(),
    withLinks: new Set(),
    problems: [],
    unlisted: [],
    dangling: new Set(),
  };
  await walkDirectory(walk, "", onDirectory);
  return walk;
}

async function walkDirectory(walk: Walk, path: string, onDirectory: (path: string, id: string) => void): Promise<void> {
  let entries: readonly Dirent[];
  try {
    const stats = await stat(join(walk.root, path));
    const id = directoryId(stats);
    if (!enterDirectory(walk, path, id)) return;
    onDirectory(path, id);
    entries = await readdir(join(walk.root, path), { withFileTypes: true });
  } catch (error) {
    // A sub-folder that vanished while it was listed is no problem of the user's.
    if (path !== "" && codeOf(error) === "ENOENT") return;
    walk.unlisted.push(path);
    const message = `The folder cannot be listed (${codeOf(error)}); what was read from it last stays in force.`;
    problem(walk, path || ".", "folder-unreadable", message);
    return;
  }
  const visible = entries.filter(({ name }) => !name.startsWith("."));
  visible.sort((a, b) => (a.name < b.name ? -1 : 1));
  const pathOf = ({ name }: Dirent) => (path === "" ? name : `${path}/${name}`);
  // Links last: a folder that is there itself is read under its own name.
  const own = visible.filter((entry) => !entry.isSymbolicLink());
  await walkFiles(
    walk,
    own
      .filter((entry) => !entry.isDirectory())
      .map(pathOf)
      .filter(isManifestPath),
    false,
  );
  for (const entry of own) if (entry.isDirectory()) await walkDirectory(walk, pathOf(entry), onDirectory);
  for (const entry of visible.filter((candidate) => candidate.isSymbolicLink())) {
    const entryPath = pathOf(entry);
    if (isManifestPath(entryPath)) walk.withLinks.add(path);
    if (await leadsToDirectory(walk, entryPath)) await walkDirectory(walk, entryPath, onDirectory);
    else if (isManifestPath(entryPath)) await walkFiles(walk, [entryPath], true);
  }
}

/** Notes a folder; false when it has been read already or there are too many. */
function enterDirectory(walk: Walk, path: string, id: string): boolean {
  const known = walk.pathById.get(id);
  if (known !== undefined) {
    const isLoop = known === "" || path.startsWith(`${known}/`);
    const reason = isLoop ? "link-loop" : "folder-linked-twice";
    problem(
      walk,
      path,
      reason,
      `This link leads to ${known === "" ? "the folder itself" : known}, which is read already: remove the link.`,
    );
    return false;
  }
  if (walk.directories.size >= DIRECTORIES_MAX) {
    problem(walk, path, "too-many-folders", `More than ${DIRECTORIES_MAX} folders: this one is not read.`);
    return false;
  }
  walk.pathById.set(id, path);
  walk.directories.set(path, id);
  return true;
}

async function leadsToDirectory(walk: Walk, path: string): Promise<boolean> {
  try {
    return (await stat(join(walk.root, path))).isDirectory();
  } catch {
    // A link that leads nowhere is told of as a file, if its name is a manifest's.
    return false;
  }
}

async function walkFiles(walk: Walk, paths: readonly string[], areLinks: boolean): Promise<void> {
  for (let at = 0; at < paths.length; at += STATS_AT_A_TIME) {
    const some = paths.slice(at, at + STATS_AT_A_TIME);
    const found = await Promise.allSettled(some.map((path) => stat(join(walk.root, path))));
    for (const [n, path] of some.entries()) noteFile(walk, path, found[n] as PromiseSettledResult<Stats>, areLinks);
  }
}

function noteFile(walk: Walk, path: string, found: PromiseSettledResult<Stats>, isLink: boolean): void {
  if (walk.files.size >= FILES_MAX) {
    problem(walk, path, "too-many-files", `More than ${FILES_MAX} manifests: this one is not read.`);
  } else if (found.status === "rejected") {
    const code = codeOf(found.reason);
    if (code === "ENOENT" && !isLink) return;
    if (code === "ENOENT" || code === "ELOOP") walk.dangling.add(path);
    else walk.unlisted.push(path);
    problem(walk, path, "file-unreadable", unreadableMessage(found.reason));
  } else if (found.value.isFile()) {
    walk.files.set(path, fingerprintOf(found.value));
  } else {
    problem(walk, path, "not-a-file", "This is neither a file nor a folder: remove it or rename it.");
  }
}

/** One sentence on why a file's state or text cannot be had. */
export function unreadableMessage(error: unknown): string {
  const code = codeOf(error);
  if (code === "ENOENT") return "This link leads nowhere: remove or correct it.";
  if (code === "ELOOP") return "This link leads to itself: remove it.";
  return `The file cannot be read (${code}): check its permissions.`;
}

function problem(walk: Walk, path: string, reason: string, message: string): void {
  if (walk.problems.length < PROBLEMS_MAX) walk.problems.push({ path, reason, message });
}

/** The operating system's name of an error. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : String(error);
}
