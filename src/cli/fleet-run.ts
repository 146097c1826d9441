import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  FeedTroubleError,
  FleetProcessError,
  libraryHint,
  libraryNames,
  libraryScenario,
  PlanError,
  REPORT_HEADERS,
  type RunOptions,
  type RunReport,
  RunStopped,
  readScenario,
  reportHtml,
  reportNotes,
  reportRows,
  runScenario,
  type Scenario,
  ScenarioError,
  ServerStartError,
  type Setting,
  TargetError,
  TemplateError,
} from "../fleet/mod.ts";
import { silentLog, systemClock } from "../lib/mod.ts";
import { RequestError } from "../platform/json-request.ts";
import { runtimeCommand } from "../platform/mod.ts";
import {
  type Command,
  type CommandContext,
  CommandError,
  EXIT,
  OUTPUT_FLAG,
  onlyPositional,
  outputFormat,
  type ParsedFlags,
  stringFlag,
  stringFlags,
} from "./command.ts";
import { ACCESS_FLAGS, accessOf, NODE_FLAGS, nodeTemplatesOf } from "./fleet-access.ts";
import { progressWriter } from "./fleet-output.ts";
import { table } from "./table.ts";

export const fleetRunCommand: Command = {
  name: "fleet run",
  usage: "SCENARIO [--set FIELD=VALUE] [--target HOST:PORT [credentials]] [-o json] [--html FILE]",
  summary: "Run a scenario: simulated Envoys, changes, an oracle, and a report",
  flags: {
    set: {
      type: "string",
      value: "FIELD=VALUE",
      isRepeated: true,
      help: "another value for a field of the scenario, as phases.0.rate=20; may be given several times",
    },
    target: {
      type: "string",
      value: "HOST:PORT",
      help: "xDS address of a server that runs already (default: what the scenario says; mostly one of its own)",
    },
    admin: { type: "string", value: "HOST:PORT", help: "admin address of --target: credentials, figures, rotation" },
    folder: { type: "string", value: "DIR", help: "the folder that --target serves; the scenario is written into it" },
    ...ACCESS_FLAGS,
    ...NODE_FLAGS,
    pid: { type: "string", value: "PID", help: "process of --target, for its CPU and memory" },
    html: { type: "string", value: "FILE", help: "write the report as a page with plots" },
    output: OUTPUT_FLAG,
  },
  examples: [
    "osm fleet run smoke",
    "osm fleet run endpoint-churn --set shape=W2 --html report.html",
    "osm fleet run mine.yaml -o json > report.json",
    "osm fleet run storm.yaml --target 127.0.0.1:18000 --plaintext --node-id 'sidecar~{n}'",
  ],
  async run(flags, context) {
    const format = outputFormat(flags, "fleet run");
    const scenario = chosenScenario(onlyPositional(flags, "fleet run", "SCENARIO"), flags, context);
    const own = ownAccess(flags, context, scenario);
    const html = pageFile(flags, context);
    const progress = progressWriter(context, process.stderr.isTTY === true);
    const report = await run({ scenario, ...own }, context, progress.tell).finally(progress.end);
    if (format === "json") context.write(`${JSON.stringify(report)}\n`);
    else if (report.phases.length > 0) context.write(table(REPORT_HEADERS, reportRows(report)));
    const notes = reportNotes(report).map((note) => `${note}\n`);
    if (format === "json") context.note(notes.join(""));
    else context.write(notes.join(""));
    // Last: what was measured for minutes is told even where the page cannot be written.
    if (html !== undefined) writePage(html, report);
    return report.oracle.isPassed ? EXIT.ok : EXIT.failed;
  },
};

/** A run takes minutes: that its page has no folder is told before. */
function pageFile(flags: ParsedFlags, context: CommandContext): string | undefined {
  const html = stringFlag(flags, "html");
  if (html === undefined) return undefined;
  const file = resolve(context.cwd, html);
  const folder = dirname(file);
  if (!isFolder(folder)) throw wrong(`--html: there is no folder ${folder}`);
  if (isFolder(file)) throw wrong(`--html: ${file} is a folder`);
  return file;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    throw wrong(`--html: ${(error as Error).message}`);
  }
}

function writePage(file: string, report: RunReport): void {
  try {
    writeFileSync(file, reportHtml(report));
  } catch (error) {
    throw new CommandError(`osm fleet run: --html: the page cannot be written: ${(error as Error).message}`);
  }
}

/** For a server that is not of this project, or shows who it is in another way. */
function ownAccess(
  flags: ParsedFlags,
  context: CommandContext,
  { target }: Scenario,
): Pick<RunOptions, "access" | "node"> {
  const given = Object.keys({ ...ACCESS_FLAGS, ...NODE_FLAGS }).find((name) => flags.values[name] !== undefined);
  if (given === undefined) return {};
  if (target.kind !== "address") throw wrong(`--${given} belongs to a server that --target names`);
  const access = accessOf(flags, context, wrong);
  return { ...(access === undefined ? {} : { access }), node: nodeTemplatesOf(flags, wrong) };
}

async function run(
  what: Pick<RunOptions, "scenario" | "access" | "node">,
  context: CommandContext,
  progress: (text: string) => void,
): Promise<RunReport> {
  // Timers of the clock do not keep a process: what is waited for may be nothing but time.
  const alive = setInterval(() => {}, 60_000);
  try {
    return await runScenario({
      ...what,
      serve: { command: serveCommand(), env: context.env },
      clock: systemClock(),
      log: silentLog(),
      progress,
      signal: context.signal,
    });
  } catch (error) {
    throw explained(error);
  } finally {
    clearInterval(alive);
  }
}

/** This program, as it is run now. */
function serveCommand(): readonly string[] {
  const program = fileURLToPath(new URL("../main/cli.ts", import.meta.url));
  return [...runtimeCommand, program];
}

function explained(error: unknown): unknown {
  if (
    error instanceof TemplateError ||
    error instanceof PlanError ||
    error instanceof TargetError ||
    error instanceof FeedTroubleError
  ) {
    return new CommandError(`osm fleet run: ${error.message}`, EXIT.usage);
  }
  if (error instanceof RunStopped || error instanceof ServerStartError || error instanceof FleetProcessError)
    return new CommandError(`osm fleet run: ${error.message}`);
  if (error instanceof RequestError) return new CommandError(`osm fleet run: ${error.message}`, EXIT.unreachable);
  return error;
}

function chosenScenario(name: string, flags: ParsedFlags, context: CommandContext): Scenario {
  const settings = [...stringFlags(flags, "set").map(settingOf), ...targetSettings(flags, context)];
  const path = resolve(context.cwd, name);
  try {
    if (libraryNames().includes(name)) return libraryScenario(name, settings);
    if (existsSync(path)) return readScenario(textOf(path), name, settings);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new CommandError(`osm fleet run: the scenario cannot be run\n${error.message}`, EXIT.usage);
  }
  throw new CommandError(
    `osm fleet run: "${name}" is no file and no scenario that comes with osm.${libraryHint(name)} "osm fleet list" names them`,
    EXIT.usage,
  );
}

function textOf(path: string): string {
  try {
    // A pipe would hold the command for good, where not even Ctrl-C is heard, and a device may never end.
    const stats = statSync(path);
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > SCENARIO_BYTES_MAX) throw new Error(`${stats.size} bytes are more than ${SCENARIO_BYTES_MAX}`);
    return readFileSync(path, "utf8");
  } catch (error) {
    throw wrong(`the scenario ${path} cannot be read: ${(error as Error).message}`);
  }
}

/** Thousands of phases. */
const SCENARIO_BYTES_MAX = 1024 * 1024;

const wrong = (message: string) => new CommandError(`osm fleet run: ${message}`, EXIT.usage);

function settingOf(text: string): Setting {
  const split = text.indexOf("=");
  if (split > 0) return { path: text.slice(0, split), value: text.slice(split + 1) };
  throw new CommandError(`osm fleet run: --set is FIELD=VALUE, found "${text}"`, EXIT.usage);
}

function targetSettings(flags: ParsedFlags, context: CommandContext): readonly Setting[] {
  const address = stringFlag(flags, "target");
  const others = ["admin", "folder", "pid"].flatMap((name) => {
    const value = stringFlag(flags, name);
    if (value === undefined) return [];
    if (address === undefined) {
      throw new CommandError(`osm fleet run: --${name} belongs to a server that --target names`, EXIT.usage);
    }
    const read =
      name === "folder" ? resolve(context.cwd, value) : name === "pid" && /^\d+$/.test(value) ? Number(value) : value;
    return [[name, read] as const];
  });
  if (address === undefined) return [];
  return [{ path: "target", value: JSON.stringify({ address, ...Object.fromEntries(others) }) }];
}
