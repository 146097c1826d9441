import process from "node:process";
import {
  type Access,
  accessBy,
  type ConnectReport,
  connectFleet,
  FleetProcessError,
  ms,
  TargetError,
  TemplateError,
} from "../fleet/mod.ts";
import { silentLog, systemClock } from "../lib/mod.ts";
import { RequestError } from "../platform/json-request.ts";
import { requireHostPort } from "./client.ts";
import {
  type Command,
  type CommandContext,
  CommandError,
  EXIT,
  noPositionals,
  OUTPUT_FLAG,
  outputFormat,
  type ParsedFlags,
  stringFlag,
} from "./command.ts";
import { ACCESS_FLAGS, accessOf, NODE_FLAGS, nodeTemplatesOf } from "./fleet-access.ts";
import { progressWriter } from "./fleet-output.ts";
import { table } from "./table.ts";

const PROXIES_MAX = 100_000;
const text = (value: string, help: string) => ({ type: "string", value, help }) as const;

export const fleetConnectCommand: Command = {
  name: "fleet connect",
  usage: "--target HOST:PORT --proxies N [credentials] [--for SECONDS] [-o json]",
  summary: "Connect simulated Envoys to any xDS server and say what they are sent",
  flags: {
    target: text("HOST:PORT", "xDS address; unix:PATH for a socket"),
    proxies: text("N", "how many"),
    ...NODE_FLAGS,
    protocol: text("delta|sotw", "variant of the protocol (default delta)"),
    admin: text("HOST:PORT", "a control plane of this project: it issues credentials, and says whom to trust"),
    ...ACCESS_FLAGS,
    "per-second": text("N", "connections opened a second (default: as fast as they are taken)"),
    timeout: text("SECONDS", "longest until all have what they ask for (default 60)"),
    for: text("SECONDS", "how long they stay (default: until Ctrl-C)"),
    processes: text("N", "processes of the fleet (default: one for 5,000 proxies)"),
    output: OUTPUT_FLAG,
  },
  examples: [
    "osm fleet connect --target 127.0.0.1:15128 --admin 127.0.0.1:9091 --proxies 100",
    "osm fleet connect --target 127.0.0.1:18000 --plaintext --node-id 'sidecar~{n}' --proxies 1000 --for 30",
  ],
  async run(flags, context) {
    noPositionals(flags, "fleet connect");
    const format = outputFormat(flags, "fleet connect");
    const progress = progressWriter(context, process.stderr.isTTY === true);
    // Timers of the clock do not keep a process.
    const alive = setInterval(() => {}, 60_000);
    try {
      const report = await connect(flags, context, progress.tell);
      progress.end();
      context.write(format === "json" ? `${JSON.stringify(report)}\n` : shown(report));
      return report.missing === 0 && report.disconnected === 0 ? EXIT.ok : EXIT.failed;
    } catch (error) {
      throw explained(error);
    } finally {
      progress.end();
      clearInterval(alive);
    }
  },
};

async function connect(
  flags: ParsedFlags,
  context: CommandContext,
  progress: (text: string) => void,
): Promise<ConnectReport> {
  const address = stringFlag(flags, "target");
  if (address === undefined) throw wrong("--target is missing: the xDS address of a server");
  if (!address.startsWith("unix:")) requireHostPort(address, "--target");
  const protocol = stringFlag(flags, "protocol") ?? "delta";
  if (protocol !== "delta" && protocol !== "sotw") throw wrong(`--protocol is delta or sotw, found "${protocol}"`);
  const perSecond = count(flags, "per-second");
  const processes = count(flags, "processes");
  const proxies = count(flags, "proxies");
  if (proxies === undefined) throw wrong("--proxies is missing: how many");
  const hold = count(flags, "for");
  return await connectFleet({
    address,
    access: await reach(flags, context),
    proxies,
    node: nodeTemplatesOf(flags, wrong),
    protocol,
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(processes === undefined ? {} : { processes }),
    timeoutMs: (count(flags, "timeout") ?? 60) * 1000,
    holdMs: hold === undefined ? undefined : hold * 1000,
    clock: systemClock(),
    log: silentLog(),
    progress,
    signal: context.signal,
  });
}

async function reach(flags: ParsedFlags, context: CommandContext): Promise<Access> {
  const admin = stringFlag(flags, "admin");
  if (admin !== undefined) {
    const other = Object.keys(ACCESS_FLAGS).find((name) => flags.values[name] !== undefined);
    if (other === undefined) return await accessBy(requireHostPort(admin, "--admin"));
    throw wrong(
      `--${other} and --admin exclude each other: a control plane at an admin address issues the credentials, and says whom to trust`,
    );
  }
  const access = accessOf(flags, context, wrong);
  if (access === undefined) throw wrong("how the server is trusted is missing: --admin, --server-ca or --plaintext");
  return access;
}

/** A whole number above 0. */
function count(flags: ParsedFlags, name: string): number | undefined {
  const value = stringFlag(flags, name);
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= PROXIES_MAX) return Number(value);
  throw wrong(`--${name} is a whole number from 1 to ${PROXIES_MAX}, found "${value}"`);
}

const wrong = (message: string) => new CommandError(`osm fleet connect: ${message}`, EXIT.usage);

function explained(error: unknown): unknown {
  if (error instanceof TemplateError || error instanceof RangeError) return wrong(error.message);
  if (error instanceof TargetError || error instanceof RequestError) {
    return new CommandError(`osm fleet connect: ${error.message}`, EXIT.unreachable);
  }
  if (error instanceof FleetProcessError) return new CommandError(`osm fleet connect: ${error.message}`);
  return error;
}

function shown(report: ConnectReport): string {
  const { counts, toAll, proxies, missing, disconnected } = report;
  const types = Object.entries(counts.types).map(([typeUrl, type]) => [
    typeUrl.slice(typeUrl.lastIndexOf(".") + 1),
    String(type.responses),
    String(type.resources),
    String(type.repeated),
    String(type.removed),
    String(type.bytes),
  ]);
  const lines = [
    `${proxies - missing} of ${proxies} proxies got all that they asked for`,
    ...(toAll === undefined ? [] : [`after ${ms(toAll.p50)} (p50), ${ms(toAll.p99)} (p99), ${ms(toAll.max)} (last)`]),
    ...(disconnected === 0 ? [] : [`${disconnected} of ${proxies} proxies were not connected at the end`]),
    ...[
      [counts.unrequested, "resources or empty responses were sent that nobody had asked for"],
      [counts.routesBeforeClusters, "routes came before a cluster that they name"],
      [counts.listenersBeforeClusters, "listeners came before a cluster that they name"],
    ].flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`])),
    ...Object.entries(counts.errors).map(
      ([kind, each]) => `errors: ${each} ${kind} (${counts.errorExamples[kind] ?? ""})`,
    ),
  ];
  // Where nobody was sent anything there is nothing to be read in a table.
  const all =
    counts.responses === 0 ? "" : table(["type", "responses", "resources", "repeated", "removed", "bytes"], types);
  return `${lines.join("\n")}\n${all}`;
}
