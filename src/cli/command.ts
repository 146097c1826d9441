import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** Exit codes of every command; `osm exec` passes on the code of what it ran. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** A failure that one sentence explains: no stack trace is shown. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The process around a command. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Data. */
  readonly write: (text: string) => void;
  /** Everything else. */
  readonly note: (text: string) => void;
  readonly isTty: boolean;
  /** Aborted by SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Flag {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** Shown after the flag: `HOST:PORT`. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times. */
  readonly isRepeated?: true;
}

export interface ParsedFlags {
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly positionals: readonly string[];
  /** What stands after `--`. */
  readonly rest: readonly string[];
}

export interface Command {
  /** Words that select it: `proxy bootstrap`. */
  readonly name: string;
  /** What follows the name: `POD -n NS -o DIR`. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: Readonly<Record<string, Flag>>;
  readonly examples: readonly string[];
  /** Takes arguments after `--`. */
  readonly takesRest?: boolean;
  readonly run: (flags: ParsedFlags, context: CommandContext) => Promise<number>;
}

/** Parses `args` for `command`. Throws {@link CommandError} naming the flag or value that is wrong. */
export function parseFlags(command: Command, args: readonly string[]): ParsedFlags {
  const split = args.indexOf("--");
  const own = split === -1 ? args : args.slice(0, split);
  const rest = split === -1 ? [] : args.slice(split + 1);
  if (split !== -1 && command.takesRest !== true) {
    throw new CommandError(`osm ${command.name}: takes nothing after "--", found "${rest.join(" ")}"`, EXIT.usage);
  }
  const options: ParseArgsOptionsConfig = {};
  for (const [name, flag] of Object.entries(command.flags)) {
    const short = flag.short === undefined ? {} : { short: flag.short };
    options[name] = { type: flag.type, multiple: flag.isRepeated === true, ...short };
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...own], options, allowPositionals: true, strict: true });
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error);
    throw new CommandError(`osm ${command.name}: ${reason}. See "osm ${command.name} --help"`, EXIT.usage);
  }
  requireContent(command, parsed);
  return { values: parsed.values as ParsedFlags["values"], positionals: parsed.positionals, rest };
}

/** A script whose variable is not set would serve, or write to, the folder it was called in. */
function requireContent({ name }: Command, { values, positionals }: ReturnType<typeof parseArgs>): void {
  const [flag] = Object.entries(values).find(([, value]) => [value].flat().includes("")) ?? [];
  const what = flag === undefined ? "an argument" : `--${flag}`;
  if (flag === undefined && !positionals.includes("")) return;
  throw new CommandError(`osm ${name}: ${what} is empty. See "osm ${name} --help"`, EXIT.usage);
}

/** The value of a string flag. */
export function stringFlag(flags: ParsedFlags, name: string): string | undefined {
  const value = flags.values[name];
  return typeof value === "string" ? value : undefined;
}

/** Every value of a string flag that may be given several times. */
export function stringFlags(flags: ParsedFlags, name: string): readonly string[] {
  const value = flags.values[name];
  return Array.isArray(value) ? value : [];
}

/** `-o`: `table` unless `json` was asked for. */
export function outputFormat(flags: ParsedFlags, command: string): "table" | "json" {
  const value = stringFlag(flags, "output") ?? "table";
  if (value === "table" || value === "json") return value;
  throw new CommandError(`osm ${command}: --output is "table" or "json", found "${value}"`, EXIT.usage);
}

/** Exactly one positional argument. */
export function onlyPositional(flags: ParsedFlags, command: string, what: string): string {
  const [first, second] = flags.positionals;
  if (first === undefined)
    throw new CommandError(`osm ${command}: ${what} is missing. See "osm ${command} --help"`, EXIT.usage);
  if (second !== undefined)
    throw new CommandError(`osm ${command}: takes one ${what}, found also "${second}"`, EXIT.usage);
  return first;
}

/** No positional argument at all. */
export function noPositionals(flags: ParsedFlags, command: string): void {
  const [first] = flags.positionals;
  if (first !== undefined) throw new CommandError(`osm ${command}: takes no argument, found "${first}"`, EXIT.usage);
}

export const ADMIN_FLAG: Flag = {
  type: "string",
  value: "HOST:PORT",
  help: "admin address of the running mesh (default: OSM_ADMIN, else 127.0.0.1:9091)",
};
export const NAMESPACE_FLAG: Flag = {
  type: "string",
  short: "n",
  value: "NS",
  help: 'namespace of the pod (default "default")',
};
export const OUTPUT_FLAG: Flag = {
  type: "string",
  short: "o",
  value: "table|json",
  help: "how to print (default table)",
};
