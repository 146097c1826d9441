/**
 * Compiles Envoy's protos into `proto/gen/` (ignored by git); see proto/README.md for what comes out and who uses it.
 *
 * Prints nothing and does nothing when the result is up to date (proto-fingerprint.mjs).
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as Protobuf from "protobufjs";
import { protoFingerprint, protosAreCurrent } from "./proto-fingerprint.mjs";

/** One generated module: the messages that it is asked for, with all that they name. */
interface ModulePlan {
  readonly name: string;
  /** Only writes messages: half the code. */
  readonly isEncodeOnly?: true;
  /** Full names of messages, each with the file that defines it, relative to a folder of {@link protoFolders}. */
  readonly messages: readonly (readonly [file: string, ...names: string[]])[];
}

type GenerateDone = (error: Error | null, code?: string, types?: string) => void;
interface Pbjs {
  generate(root: Protobuf.Root, options: Record<string, unknown>, done: GenerateDone): void;
}

const require = createRequire(import.meta.url);
const checkout = join(dirname(fileURLToPath(import.meta.url)), "..");
const output = join(checkout, "proto/gen");
const envoyPackage = dirname(require.resolve("@grpc/grpc-js-xds/package.json"));
const ownFolder = join(checkout, "proto");
const protoFolders = [
  ownFolder,
  ...["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(envoyPackage, "deps", name)),
  dirname(require.resolve("protobufjs/package.json")),
];

const discovery: ModulePlan["messages"] = [
  [
    "envoy/service/discovery/v3/discovery.proto",
    "envoy.service.discovery.v3.DiscoveryRequest",
    "envoy.service.discovery.v3.DiscoveryResponse",
    "envoy.service.discovery.v3.DeltaDiscoveryRequest",
    "envoy.service.discovery.v3.DeltaDiscoveryResponse",
  ],
];

const wellKnown: ModulePlan["messages"] = [
  ["google/protobuf/any.proto", "google.protobuf.Any"],
  ["google/protobuf/duration.proto", "google.protobuf.Duration"],
  ["google/protobuf/timestamp.proto", "google.protobuf.Timestamp"],
  ["google/protobuf/struct.proto", "google.protobuf.Struct"],
  ["google/rpc/status.proto", "google.rpc.Status"],
  [
    "google/protobuf/wrappers.proto",
    ...["BoolValue", "StringValue", "DoubleValue", "UInt32Value", "UInt64Value"].map(
      (name) => `google.protobuf.${name}`,
    ),
  ],
];

const extensions = "envoy/extensions";
const resources: ModulePlan["messages"] = [
  ["envoy/config/listener/v3/listener.proto", "envoy.config.listener.v3.Listener"],
  ["envoy/config/route/v3/route.proto", "envoy.config.route.v3.RouteConfiguration"],
  ["envoy/config/cluster/v3/cluster.proto", "envoy.config.cluster.v3.Cluster"],
  ["envoy/config/endpoint/v3/endpoint.proto", "envoy.config.endpoint.v3.ClusterLoadAssignment"],
  [
    `${extensions}/transport_sockets/tls/v3/tls.proto`,
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
  ],
  [`${extensions}/transport_sockets/tls/v3/secret.proto`, "envoy.extensions.transport_sockets.tls.v3.Secret"],
  [
    `${extensions}/filters/network/http_connection_manager/v3/http_connection_manager.proto`,
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  ],
  [
    `${extensions}/filters/network/tcp_proxy/v3/tcp_proxy.proto`,
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  ],
  [`${extensions}/filters/network/rbac/v3/rbac.proto`, "envoy.extensions.filters.network.rbac.v3.RBAC"],
  [
    `${extensions}/filters/network/direct_response/v3/config.proto`,
    "envoy.extensions.filters.network.direct_response.v3.Config",
  ],
  [
    `${extensions}/retry/host/previous_hosts/v3/previous_hosts.proto`,
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  ],
  [
    `${extensions}/filters/http/rbac/v3/rbac.proto`,
    "envoy.extensions.filters.http.rbac.v3.RBAC",
    "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
  ],
  [`${extensions}/filters/http/router/v3/router.proto`, "envoy.extensions.filters.http.router.v3.Router"],
  [
    `${extensions}/filters/http/health_check/v3/health_check.proto`,
    "envoy.extensions.filters.http.health_check.v3.HealthCheck",
  ],
  [
    `${extensions}/filters/listener/tls_inspector/v3/tls_inspector.proto`,
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  ],
  [
    `${extensions}/filters/listener/http_inspector/v3/http_inspector.proto`,
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
  ],
  [
    `${extensions}/filters/listener/original_dst/v3/original_dst.proto`,
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
  ],
  [
    `${extensions}/upstreams/http/v3/http_protocol_options.proto`,
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
  ],
  [`${extensions}/access_loggers/stream/v3/stream.proto`, "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"],
  [`${extensions}/access_loggers/file/v3/file.proto`, "envoy.extensions.access_loggers.file.v3.FileAccessLog"],
];

const bootstrap: ModulePlan["messages"] = [
  ["envoy/config/bootstrap/v3/bootstrap.proto", "envoy.config.bootstrap.v3.Bootstrap"],
];

const modules: readonly ModulePlan[] = [
  { name: "discovery", messages: [...discovery, ...wellKnown.slice(0, 1)] },
  { name: "resources", isEncodeOnly: true, messages: [...wellKnown, ...resources] },
  { name: "envoy", messages: [...discovery, ...wellKnown, ...bootstrap, ...resources] },
];

/** Finds an import in our own folder first, then among the packages'. */
function resolveProto(target: string): string {
  for (const folder of protoFolders) {
    const path = join(folder, target);
    if (existsSync(path)) return path;
  }
  return target;
}

function loadRoot(protobuf: typeof Protobuf, plan: ModulePlan): Protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    existsSync(target) || target in protobuf.common ? target : resolveProto(target);
  const own = plan.name === "discovery" ? [] : ownProtos();
  root.loadSync([...plan.messages.map(([file]) => file), ...own]).resolveAll();
  keepReachable(
    protobuf,
    root,
    plan.messages.flatMap(([, ...names]) => names),
  );
  return root;
}

function ownProtos(): string[] {
  return readdirSync(ownFolder).filter((name) => name.endsWith(".proto"));
}

/** Drops all that the named messages do not reach: option definitions, services, unused extensions. Halves the code. */
function keepReachable(protobuf: typeof Protobuf, root: Protobuf.Root, names: readonly string[]): void {
  const kept = new Set<Protobuf.ReflectionObject>();
  const visit = (object: Protobuf.Type | Protobuf.Enum): void => {
    if (kept.has(object)) return;
    kept.add(object);
    if (!(object instanceof protobuf.Type)) return;
    for (const field of object.fieldsArray) if (field.resolvedType) visit(field.resolvedType);
  };
  for (const name of names) visit(root.lookupType(name));
  for (const name of ownProtos()) {
    for (const type of allTypes(protobuf, root)) if (type.filename?.endsWith(`/${name}`)) visit(type);
  }
  prune(protobuf, root, kept);
}

function allTypes(protobuf: typeof Protobuf, within: Protobuf.NamespaceBase): Protobuf.Type[] {
  return within.nestedArray.flatMap((child) => {
    const inner = child instanceof protobuf.Namespace ? allTypes(protobuf, child) : [];
    return child instanceof protobuf.Type ? [child, ...inner] : inner;
  });
}

/** Returns whether anything is left in `within`. */
function prune(
  protobuf: typeof Protobuf,
  within: Protobuf.NamespaceBase,
  kept: ReadonlySet<Protobuf.ReflectionObject>,
): boolean {
  for (const child of [...within.nestedArray]) {
    const hasKeptChildren = child instanceof protobuf.Namespace && prune(protobuf, child, kept);
    if (kept.has(child)) continue;
    within.remove(child);
    if (!hasKeptChildren) continue;
    const namespace = new protobuf.Namespace(child.name);
    for (const grandchild of [...child.nestedArray]) namespace.add(grandchild);
    within.add(namespace);
  }
  return within.nestedArray.length > 0;
}

/** Comments go with the wire only as hints to a reader; without them the types take a fifth of the time. */
function dropComments(object: Protobuf.ReflectionObject & Partial<Protobuf.NamespaceBase>): void {
  object.comment = null;
  const type = object as Partial<Protobuf.Type>;
  for (const part of [...(type.fieldsArray ?? []), ...(type.oneofsArray ?? [])]) part.comment = null;
  const values = object as { comments?: Record<string, string | null> };
  if (values.comments) values.comments = {};
  for (const child of object.nestedArray ?? []) dropComments(child);
}

function generate(pbjs: Pbjs, root: Protobuf.Root, options: Record<string, unknown>): Promise<[string, string]> {
  const common = {
    target: "static-module",
    wrap: "esm",
    encode: true,
    typeurl: false,
    lint: "",
  };
  return new Promise((resolve, reject) => {
    pbjs.generate(root, { ...common, ...options }, (error, code, types) =>
      error ? reject(error) : resolve([code ?? "", types ?? ""]),
    );
  });
}

async function generateModule(protobuf: typeof Protobuf, pbjs: Pbjs, plan: ModulePlan): Promise<void> {
  const root = loadRoot(protobuf, plan);
  dropComments(root);
  // The names of roots are global to an isolate: two modules in one thread must not share theirs.
  const shared = {
    root: plan.name,
    decode: !plan.isEncodeOnly,
    create: false,
    verify: false,
    convert: false,
    delimited: false,
    service: false,
  };
  // Without comments the generator writes empty types, with them code four times the size: hence two runs.
  const [code] = await generate(pbjs, root, { ...shared, comments: false });
  const [, types] = await generate(pbjs, root, { ...shared, comments: true, dts: true });
  writeWhole(`${plan.name}.js`, `/* @ts-self-types="./${plan.name}.d.ts" */\n${code}`);
  writeWhole(`${plan.name}.d.ts`, types);
  if (plan.name === "envoy") writeWhole("envoy.json", JSON.stringify(root.toJSON()));
}

function writeWhole(name: string, text: string): void {
  const path = join(output, name);
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

/** Generates what is missing or out of date; `true` when there was something to do. */
export async function ensureProtos(): Promise<boolean> {
  if (protosAreCurrent(checkout)) return false;
  rmSync(join(output, "fingerprint"), { force: true });
  mkdirSync(output, { recursive: true });
  const protobuf = require("protobufjs") as typeof Protobuf;
  const pbjs = require("protobufjs-cli/pbjs") as Pbjs;
  for (const plan of modules) await generateModule(protobuf, pbjs, plan);
  writeWhole("fingerprint", protoFingerprint(checkout));
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensureProtos();
