import { type Command, type CommandContext, CommandError, EXIT, parseFlags } from "./command.ts";

export type { CommandContext } from "./command.ts";

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Loaded only when asked for, so that small commands start fast. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: "serve",
    summary: "Run a mesh from a folder of manifests, with real Envoys beside local pods",
    load: async () => (await import("./serve.ts")).serveCommand,
  },
  {
    name: "demo",
    summary: "Show the bookstore on the mesh: traffic, access policy, traffic split, rotation",
    load: async () => (await import("./demo.ts")).demoCommand,
  },
  {
    name: "pods",
    summary: "List pods: readiness, and what their proxies were sent and have acknowledged",
    load: async () => (await import("./pods.ts")).podsCommand,
  },
  { name: "exec", summary: "Run a command in a pod", load: async () => (await import("./exec.ts")).execCommand },
  {
    name: "logs",
    summary: "Print what a container of a pod has written",
    load: async () => (await import("./logs.ts")).logsCommand,
  },
  {
    name: "proxy bootstrap",
    summary: "Write a bootstrap with credentials for an Envoy of your own",
    load: async () => (await import("./proxy-bootstrap.ts")).proxyBootstrapCommand,
  },
  {
    name: "cert rotate",
    summary: "Give every proxy a new certificate now",
    load: async () => (await import("./cert-rotate.ts")).certRotateCommand,
  },
  {
    name: "fleet run",
    summary: "Run a scenario: simulated Envoys, changes, an oracle, and a report",
    load: async () => (await import("./fleet-run.ts")).fleetRunCommand,
  },
  {
    name: "fleet connect",
    summary: "Connect simulated Envoys to any xDS server and say what they are sent",
    load: async () => (await import("./fleet-connect.ts")).fleetConnectCommand,
  },
  {
    name: "fleet list",
    summary: "List the scenarios that come with osm",
    load: async () => (await import("./fleet-list.ts")).fleetListCommand,
  },
  {
    name: "fleet shapes",
    summary: "List the shapes of meshes that scenarios can name",
    load: async () => (await import("./fleet-list.ts")).fleetShapesCommand,
  },
  {
    name: "healthcheck",
    summary: "Answer rewritten TCP probes of an injected pod (runs inside the pod)",
    load: async () => (await import("./healthcheck.ts")).healthcheckCommand,
  },
  { name: "version", summary: "Print the version", load: async () => (await import("./version.ts")).versionCommand },
];

/** Runs one command line. Gives the exit code; never throws for what a person did wrong. */
export async function runCli(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await dispatch(args, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.note(`${error.message}\n`);
    return error.exitCode;
  }
}

async function dispatch(args: readonly string[], context: CommandContext): Promise<number> {
  const [first] = args;
  if (first === "help" && args.length > 1) {
    // Behind "--" stands what a pod is to run: not a question.
    return await dispatch([...argsBefore("--", args.slice(1)), "--help"], context);
  }
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    (first === undefined ? context.note : context.write)(overview(COMMANDS));
    return first === undefined ? EXIT.usage : EXIT.ok;
  }
  if (first === "--version") return await dispatch(["version", ...args.slice(1)], context);
  const entry = COMMANDS.find(({ name }) => name === args.slice(0, name.split(" ").length).join(" "));
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  if (entry === undefined && group.length > 0 && (args.length === 1 || asksForHelp(args.slice(1)))) {
    (args.length === 1 ? context.note : context.write)(overview(group));
    return args.length === 1 ? EXIT.usage : EXIT.ok;
  }
  if (entry === undefined) {
    throw new CommandError(`osm: there is no command "${unknownName(args)}". "osm --help" lists them`, EXIT.usage);
  }
  const rest = args.slice(entry.name.split(" ").length);
  const command = await entry.load();
  if (asksForHelp(argsBefore("--", rest))) {
    context.write(helpOf(command));
    return EXIT.ok;
  }
  return await command.run(parseFlags(command, rest), context);
}

function unknownName(args: readonly string[]): string {
  const isGroup = COMMANDS.some(({ name }) => name.startsWith(`${args[0]} `));
  return isGroup ? args.slice(0, 2).join(" ") : (args[0] ?? "");
}

function argsBefore(end: string, args: readonly string[]): readonly string[] {
  return args.includes(end) ? args.slice(0, args.indexOf(end)) : args;
}

const asksForHelp = (args: readonly string[]) => args.includes("--help") || args.includes("-h");

function overview(commands: readonly Entry[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}   ${summary}`);
  return [
    "osm: a service mesh for Kubernetes manifests, with Envoy sidecars",
    "",
    "Usage: osm COMMAND [ARGS]",
    "",
    ...lines,
    "",
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no mesh answers; "osm exec" gives the code of what it ran.',
    '"osm COMMAND --help" explains one command.',
    "",
  ].join("\n");
}

function helpOf(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    return { left: `  ${short}--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`, help: flag.help };
  });
  flags.push({ left: "  -h, --help", help: "print this" });
  const width = Math.max(...flags.map(({ left }) => left.length));
  return [
    command.summary,
    "",
    `Usage: osm ${command.name} ${command.usage}`.trimEnd(),
    "",
    "Flags:",
    ...flags.map(({ left, help }) => `${left.padEnd(width)}   ${help}`),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}
