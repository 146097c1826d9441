import { chmod, copyFile, mkdir, readdir, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./command.ts";

/** Folder in every pod's /etc that carries what a pod borrows from the host. */
export const BORROWED = "/etc/.osm";
/** Where a pod finds the Envoy binary: traversable for uid 1500, whatever the modes of the folder that it is installed in. */
export const POD_ENVOY = `${BORROWED}/envoy`;

/** Files of /etc that are each pod's own; they are mounted over the skeleton's. */
export const POD_ETC_FILES = ["hosts", "resolv.conf", "hostname"] as const;

/** Names come from files and DNS alone, as in a container image: never from daemons of the host. */
const NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nservices: files\n";

/**
 * Builds, under `dir` (a folder in a private mount), the /etc that all pods share: the host's entries by symbolic link to a
 * bind mount of it, and mount points for what differs. Nothing is written to the host's own /etc. `spareDir` takes a copy of
 * the Envoy binary where its modes would keep uid 1500 out.
 */
export async function buildEtcSkeleton(dir: string, envoy: string | undefined, spareDir: string): Promise<void> {
  const borrowed = join(dir, ".osm");
  await mkdir(join(borrowed, "host"), { recursive: true });
  await runCommand(["mount", "--rbind", "/etc", join(borrowed, "host")]);
  for (const entry of await readdir("/etc", { withFileTypes: true })) {
    if (OWN_ENTRIES.has(entry.name)) continue;
    // A link keeps its text: a relative one means the same from here.
    const target = entry.isSymbolicLink()
      ? await readlink(join("/etc", entry.name))
      : join(BORROWED, "host", entry.name);
    await symlink(target, join(dir, entry.name));
  }
  await mkdir(join(dir, "envoy"));
  for (const name of POD_ETC_FILES) await writeFile(join(dir, name), "");
  await writeFile(join(dir, "nsswitch.conf"), NSSWITCH);
  await writeFile(join(borrowed, "xtables.lock"), "");
  for (const traversable of [dir, borrowed, join(dir, "envoy")]) await chmod(traversable, 0o755);
  if (envoy === undefined) return;
  await writeFile(join(borrowed, "envoy"), "");
  await runCommand(["mount", "--bind", await executableByAll(envoy, spareDir), join(borrowed, "envoy")]);
}

/** `program`, or a copy of it in `spareDir` when only its owner may execute it. */
async function executableByAll(program: string, spareDir: string): Promise<string> {
  if (((await stat(program)).mode & ALL_MAY_EXECUTE) === ALL_MAY_EXECUTE) return program;
  const copy = join(spareDir, "envoy");
  await copyFile(program, copy);
  await chmod(copy, 0o755);
  return copy;
}

const ALL_MAY_EXECUTE = 0o005;

const OWN_ENTRIES: ReadonlySet<string> = new Set([...POD_ETC_FILES, "nsswitch.conf", "envoy", ".osm"]);
