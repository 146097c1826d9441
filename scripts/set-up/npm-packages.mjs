import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { protosAreCurrent } from "../proto-fingerprint.mjs";
import { cacheFolder } from "./cache-folder.mjs";
import { CannotBeHad, reasonIn, run, withProgress } from "./step.mjs";

/** Node runs our TypeScript as it stands from this version on. */
const oldestNode = [22, 18];

/** @param {string} checkout */
function wanted(checkout) {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}\n`);
  for (const name of ["package.json", "package-lock.json"]) hash.update(readFileSync(join(checkout, name)));
  return hash.digest("hex");
}

/** @param {string} checkout */
function packagesAreCurrent(checkout) {
  const stamp = join(checkout, "node_modules/.set-up");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted(checkout);
}

/**
 * Whether everything that npm brings, and what is made of it, is there.
 *
 * @param {string} checkout
 */
export function checkoutIsReady(checkout) {
  return packagesAreCurrent(checkout) && protosAreCurrent(checkout);
}

/**
 * Brings npm's packages and the generated protos up to date. To be run by one process at a time.
 *
 * @param {string} checkout
 */
export async function prepareCheckout(checkout) {
  if (!packagesAreCurrent(checkout)) {
    await withProgress("Installing npm packages", () => installPackages(checkout));
    writeFileSync(join(checkout, "node_modules/.set-up"), wanted(checkout));
  }
  if (!protosAreCurrent(checkout)) {
    await withProgress("Compiling Envoy's protos", async () => {
      const { code, output } = await run(nodeProgram(checkout), [join(checkout, "scripts/protos.ts")], {
        cwd: checkout,
      });
      if (code !== 0) throw new Error(`scripts/protos.ts ended with ${code}:\n${output}`);
    });
  }
  await compileAhead(checkout);
}

/**
 * Has Node compile the program once and keep the result, so that already the first start is as quick and as small as any
 * later one. Nothing depends on it: where it does not work, the first start does it.
 *
 * @param {string} checkout
 */
async function compileAhead(checkout) {
  const folders = ["src/cli", "src/main", "workers"];
  const files = folders.flatMap((folder) =>
    readdirSync(join(checkout, folder)).map((name) => join(checkout, folder, name)),
  );
  const program = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  // Entries want arguments and fail without them, but not before they and all that they import are compiled.
  const source = `
    import module from "node:module";
    for (const file of ${JSON.stringify(program)}) await import(file).catch(() => undefined);
    module.flushCompileCache();
    process.exit(0);`;
  await run(nodeProgram(checkout), ["--input-type=module", "--eval", source], { env: commandEnvironment(checkout) });
}

/**
 * `npm install`, quiet but for errors.
 *
 * @param {string} cwd
 * @param {readonly string[]} args
 */
export function npmInstall(cwd, args) {
  const all = [
    "install",
    "--include=dev",
    "--include=optional",
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
    ...args,
  ];
  const npm = process.env.npm_execpath;
  return npm?.endsWith(".js") ? run(process.execPath, [npm, ...all], { cwd }) : run("npm", all, { cwd });
}

/** @param {string} checkout */
async function installPackages(checkout) {
  // Not `npm ci`: it refuses a lock file in which packages of foreign platforms are missing.
  const { code, output } = await npmInstall(checkout, []);
  if (code !== 0) {
    throw new CannotBeHad(
      `The npm packages could not be installed (${reasonIn(output)}): run "npm install --loglevel=notice" in ${checkout} where npm reaches a registry.`,
    );
  }
}

/**
 * The pinned Node from npm, or the one that runs this where there is none for the platform.
 *
 * @param {string} checkout
 */
export function nodeProgram(checkout) {
  const pinned = join(checkout, "node_modules/.bin/node");
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return process.execPath;
  throw new CannotBeHad(
    `npm has no Node for ${process.platform}-${process.arch}, and this one is ${process.versions.node}: install Node ${oldestNode.join(".")} or newer.`,
  );
}

/**
 * The environment in which commands run: the pinned Node and the packages' programs come first, and Node finds the code of
 * the last run compiled (src/platform/compiled-code.ts says what that saves).
 *
 * @param {string} checkout
 * @returns {NodeJS.ProcessEnv}
 */
export function commandEnvironment(checkout) {
  const folders = [join(checkout, "node_modules/.bin"), process.env.PATH ?? "", dirname(process.execPath)];
  const compiled = process.env.NODE_COMPILE_CACHE ?? join(cacheFolder(), "compiled-code");
  return { ...process.env, PATH: folders.filter(Boolean).join(":"), NODE_COMPILE_CACHE: compiled };
}
