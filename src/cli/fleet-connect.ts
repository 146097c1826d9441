import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import {
  type Access,
  accessBy,
  type ConnectReport,
  type CredentialSource,
  connectFleet,
  FleetProcessError,
  ms,
  OSM_COMMON_NAME,
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
import { progressWriter } from "./fleet-output.ts";
import { table } from "./table.ts";

const NODE_ID = OSM_COMMON_NAME;
const PROXIES_MAX = 100_000;
const text = (value: string, help: string) => ({ type: "string", value, help }) as const;

export const fleetConnectCommand: Command = {
  name: "fleet connect",
  usage: "--target HOST:PORT --proxies N [credentials] [--for DURATION] [-o json]",
  summary: "Connect simulated Envoys to any xDS server and say what they are sent",
  flags: {
    target: text("HOST:PORT", "xDS address; unix:PATH for a socket"),
    proxies: text("N", "how many"),
    "node-id": text("TEMPLATE", `node id of each (default "${NODE_ID}")`),
    cluster: text("TEMPLATE", 'cluster of each node (default "{serviceAccount}.{namespace}")'),
    metadata: text("JSON", "metadata of each node; its texts are templates"),
    protocol: text("delta|sotw", "variant of the protocol (default delta)"),
    plaintext: { type: "boolean", help: "no TLS" },
    "server-ca": text("FILE", "certificates by which the server is trusted"),
    "server-name": text("NAME", "name that the server's certificate has to carry"),
    admin: text("HOST:PORT", "a control plane of this project: it issues credentials, and says whom to trust"),
    cert: text("FILE", "one client certificate for all, with --key"),
    key: text("FILE", "its private key"),
    "sign-cert": text("FILE", "a CA that signs a certificate for each, with --sign-key"),
    "sign-key": text("FILE", "its private key"),
    "common-name": text("TEMPLATE", `common name and DNS name of each (default "${OSM_COMMON_NAME}")`),
    uri: text("TEMPLATE", "URI name of each, as spiffe://cluster.local/ns/{namespace}/sa/{serviceAccount}"),
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
      return report.missing === 0 ? EXIT.ok : EXIT.failed;
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
  const metadata = metadataOf(flags);
  return await connectFleet({
    address,
    access: await accessOf(flags, context),
    proxies,
    nodeId: stringFlag(flags, "node-id") ?? NODE_ID,
    cluster: stringFlag(flags, "cluster") ?? "{serviceAccount}.{namespace}",
    ...(metadata === undefined ? {} : { metadata }),
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

async function accessOf(flags: ParsedFlags, context: CommandContext): Promise<Access> {
  const read = (name: string) => {
    const file = stringFlag(flags, name);
    if (file === undefined) return undefined;
    try {
      return readFileSync(resolve(context.cwd, file), "utf8");
    } catch (error) {
      throw wrong(`--${name}: ${(error as Error).message}`);
    }
  };
  const admin = stringFlag(flags, "admin");
  if (flags.values["plaintext"] === true) return { tls: undefined, credentials: { kind: "none" } };
  if (admin !== undefined) return await accessBy(requireHostPort(admin, "--admin"));
  const rootsPem = read("server-ca");
  if (rootsPem === undefined) throw wrong("how the server is trusted is missing: --admin, --server-ca or --plaintext");
  const credentials = credentialsOf(flags, read);
  requireCertificate(rootsPem, "server-ca");
  const serverName = stringFlag(flags, "server-name");
  return {
    tls: { rootsPem, ...(serverName === undefined ? {} : { serverName }) },
    credentials,
  };
}

function credentialsOf(flags: ParsedFlags, read: (name: string) => string | undefined): CredentialSource {
  const pair = (certificate: string, key: string) => {
    const certificatePem = read(certificate);
    const privateKeyPem = read(key);
    if (certificatePem === undefined && privateKeyPem === undefined) return undefined;
    if (certificatePem === undefined || privateKeyPem === undefined)
      throw wrong(`--${certificate} and --${key} belong together`);
    return { certificatePem, privateKeyPem };
  };
  const authority = pair("sign-cert", "sign-key");
  if (authority !== undefined) {
    requirePair(authority, "sign-cert", "sign-key");
    const commonName = stringFlag(flags, "common-name") ?? OSM_COMMON_NAME;
    const uri = stringFlag(flags, "uri");
    return { kind: "authority", authority, commonName, dnsNames: [commonName], uris: uri === undefined ? [] : [uri] };
  }
  const shared = pair("cert", "key");
  if (shared === undefined) return { kind: "none" };
  requirePair(shared, "cert", "key");
  return { kind: "shared", ...shared };
}

/** OpenSSL trusts nobody where a file holds no certificate, and says only that nobody is trusted. */
function requireCertificate(pem: string, flag: string): void {
  try {
    new X509Certificate(pem);
  } catch {
    throw wrong(`--${flag} holds no certificate in PEM`);
  }
}

/** OpenSSL takes a certificate and a key of different kinds, and shows none of them. */
function requirePair(
  { certificatePem, privateKeyPem }: Readonly<Record<"certificatePem" | "privateKeyPem", string>>,
  certificate: string,
  key: string,
): void {
  let isPair: boolean;
  try {
    isPair = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    // The cause may quote the key.
    throw wrong(
      `--${certificate} is a certificate and --${key} an unencrypted private key, both PEM; one of them is not`,
    );
  }
  if (!isPair) throw wrong(`--${key} is not the key of the certificate in --${certificate}`);
}

function metadataOf(flags: ParsedFlags): Readonly<Record<string, unknown>> | undefined {
  const value = stringFlag(flags, "metadata");
  if (value === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Said below, like everything else that is no object.
  }
  throw wrong(`--metadata is a JSON object, found "${value}"`);
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
  const { counts, toAll, proxies, missing } = report;
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
    ...Object.entries(counts.errors).map(
      ([kind, each]) => `errors: ${each} ${kind} (${counts.errorExamples[kind] ?? ""})`,
    ),
  ];
  const all =
    types.length === 0 ? "" : table(["type", "responses", "resources", "repeated", "removed", "bytes"], types);
  return `${lines.join("\n")}\n${all}`;
}
