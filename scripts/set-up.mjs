/**
 * `node scripts/set-up.mjs --for demo|test|check|bench|osm [--quiet] -- COMMAND [ARG...]`
 *
 * Makes sure that a command of this checkout can run (npm packages with the pinned Node, compiled protos; Envoy and the
 * tools that pods are made of, where the command needs them), then becomes that command: same standard streams, same
 * signals, same exit code.
 *
 * Plain JavaScript without packages, for Node 20 and newer: it runs before there is anything else. It speaks on standard
 * error alone, and only when something is missing.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureTools } from "./set-up/debian-tools.mjs";
import { ensureEnvoy, lacksPip } from "./set-up/envoy.mjs";
import { withFolderLock } from "./set-up/folder-lock.mjs";
import { checkoutIsReady, commandEnvironment, nodeProgram, prepareCheckout } from "./set-up/npm-packages.mjs";
import { ensureOlderNodes } from "./set-up/older-nodes.mjs";
import { CannotBeHad } from "./set-up/step.mjs";

const checkout = join(fileURLToPath(import.meta.url), "../..");

const usage = "usage: node scripts/set-up.mjs --for demo|test|check|bench|osm [--quiet] -- COMMAND [ARG...]";

/** @param {readonly string[]} args */
function parseArguments(args) {
  const split = args.indexOf("--");
  const own = args.slice(0, split);
  const [file, ...rest] = args.slice(split + 1);
  const purpose = own[own.indexOf("--for") + 1] ?? "";
  if (split < 0 || file === undefined || !["demo", "test", "check", "bench", "osm"].includes(purpose)) {
    process.stderr.write(`${usage}\n`);
    process.exit(2);
  }
  return { purpose, isQuiet: own.includes("--quiet"), file, args: rest };
}

/**
 * Whether a command starts pods: only those need Envoy and the tools.
 *
 * @param {string} purpose
 * @param {readonly string[]} args
 */
function startsPods(purpose, args) {
  if (args.includes("--help") || args.includes("-h")) return false;
  if (purpose === "demo" || purpose === "test") return true;
  const command = args.find((arg) => !arg.startsWith("-") && !arg.endsWith(".ts"));
  return purpose === "osm" && (command === "demo" || (command === "serve" && !args.includes("--no-pods")));
}

async function prepare() {
  if (checkoutIsReady(checkout)) return;
  const onWait = (/** @type {string} */ pid) => process.stderr.write(`Waiting for process ${pid}, which sets up\n`);
  await withFolderLock(join(checkout, ".osm/set-up.lock"), onWait, () => prepareCheckout(checkout));
}

/**
 * @param {string} purpose
 * @returns {Promise<NodeJS.ProcessEnv>} what the command needs to know
 */
async function preparePods(purpose) {
  /** @type {NodeJS.ProcessEnv} */
  const found = {};
  for (const step of [
    async () => ensureTools((await lacksPip()) ? ["python3-pip"] : []),
    async () => {
      found.OSM_ENVOY = await ensureEnvoy();
    },
    async () => {
      if (purpose === "test") found.OLDER_NODES = (await ensureOlderNodes()).join(delimiter);
    },
  ]) {
    try {
      await step();
    } catch (error) {
      // Tests that need what is missing are named as skipped; the rest still runs.
      if (purpose !== "test" || !(error instanceof CannotBeHad)) throw error;
      process.stderr.write(`${error.message}\n`);
    }
  }
  return found;
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function become(file, args, env) {
  const program = file === "node" ? nodeProgram(checkout) : findInPath(file, env);
  // Node 20 cannot replace itself: it stays as a go-between for this once.
  if (process.execve) process.execve(program, [file, ...args], /** @type {Record<string, string>} */ (env));
  const child = spawn(program, args, { env, stdio: "inherit" });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])) {
    // A terminal sends SIGINT and SIGQUIT to both of us.
    const isTerminals = process.stdin.isTTY && (signal === "SIGINT" || signal === "SIGQUIT");
    process.on(signal, () => void (isTerminals || child.kill(signal)));
  }
  child.on("error", (error) => fail(new CannotBeHad(`${program} does not start: ${error.message}.`)));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/**
 * @param {string} file
 * @param {NodeJS.ProcessEnv} env
 */
function findInPath(file, env) {
  if (isAbsolute(file)) return file;
  const folders = (env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, file)).find((path) => existsSync(path)) ?? file;
}

/** @param {unknown} error */
function fail(error) {
  const isPlain = error instanceof CannotBeHad;
  process.stderr.write(
    `${isPlain ? error.message : `The set-up failed: ${error instanceof Error ? error.stack : error}`}\n`,
  );
  process.exit(1);
}

try {
  const { purpose, isQuiet, file, args } = parseArguments(process.argv.slice(2));
  await prepare();
  const found = startsPods(purpose, args) ? await preparePods(purpose) : {};
  if (!isQuiet && process.stderr.isTTY && found.OSM_ENVOY) process.stderr.write(`Envoy: ${found.OSM_ENVOY}\n`);
  const entry = args.map((arg, index) => (index === 0 && arg.endsWith(".ts") ? join(checkout, arg) : arg));
  // npm changes into the checkout; the paths in a user's arguments are relative to where the user is.
  if (purpose === "osm" && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
  become(file, entry, { ...commandEnvironment(checkout), ...found });
} catch (error) {
  fail(error);
}
