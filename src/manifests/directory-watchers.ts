import { type FSWatcher, watch } from "node:fs";
import { basename, join } from "node:path";
import type { Log } from "../lib/mod.ts";
import { codeOf } from "./folder-scan.ts";

/** Watches a set of folders, each by itself: recursive watching differs too much between runtimes. */
export interface DirectoryWatchers {
  /** Watches the folder at a relative path, anew when another folder has taken its place. */
  ensure(path: string, id: string): void;
  /** Stops watching all folders but these. */
  keepOnly(paths: ReadonlyMap<string, string>): void;
  /** False while some folder could not be watched. */
  areAllWatched(): boolean;
  close(): void;
}

/**
 * `onEvent` gets the folder and, where the system tells it, the name in it that something happened to: none when it was the folder
 * itself, or more than the runtime could keep in mind, which Deno tells as that.
 */
export function watchDirectories(options: {
  readonly root: string;
  readonly log: Log;
  readonly onEvent: (directory: string, name: string | undefined) => void;
}): DirectoryWatchers {
  const { root, log, onEvent } = options;
  const watchers = new Map<string, { readonly id: string; readonly watcher: FSWatcher }>();
  const failed = new Set<string>();
  let hasWarned = false;

  const warn = (path: string, error: unknown) => {
    // Without a watcher changes are found by listing, later.
    if (!hasWarned) log.warn("a folder cannot be watched, its changes are found later", { path, error: codeOf(error) });
    hasWarned = true;
    failed.add(path);
  };
  const drop = (path: string) => {
    watchers.get(path)?.watcher.close();
    watchers.delete(path);
  };
  return {
    ensure(path, id) {
      if (watchers.get(path)?.id === id) return;
      drop(path);
      try {
        const own = basename(join(root, path));
        const watcher = watch(join(root, path), (_event, name) =>
          onEvent(path, name === null || name === own ? undefined : name),
        );
        watcher.on("error", (error) => {
          warn(path, error);
          drop(path);
        });
        watchers.set(path, { id, watcher });
        failed.delete(path);
      } catch (error) {
        warn(path, error);
      }
    },
    keepOnly(paths) {
      for (const path of [...watchers.keys()]) if (!paths.has(path)) drop(path);
      for (const path of [...failed]) if (!paths.has(path)) failed.delete(path);
    },
    areAllWatched: () => failed.size === 0,
    close() {
      for (const path of [...watchers.keys()]) drop(path);
    },
  };
}
