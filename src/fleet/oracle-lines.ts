/** A resource as lines of text: every field that is set, with the path to it, in an order that is the same for all servers. */
import { envoy } from "../../proto/gen/envoy.js";
import { TYPE_URL } from "./oracle-names.ts";

const { Cluster } = envoy.config.cluster.v3;
const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { TcpProxy } = envoy.extensions.filters.network.tcp_proxy.v3;
const { DownstreamTlsContext, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

interface Message {
  readonly decode: (bytes: Uint8Array) => object;
}

const RESOURCES: Readonly<Record<string, Message>> = {
  [TYPE_URL.cluster]: Cluster,
  [TYPE_URL.listener]: Listener,
  [TYPE_URL.route]: RouteConfiguration,
};

const EXTENSIONS = "type.googleapis.com/envoy.extensions.";
export const EXTENSION = {
  http: `${EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager`,
  tcp: `${EXTENSIONS}filters.network.tcp_proxy.v3.TcpProxy`,
  upstreamTls: `${EXTENSIONS}transport_sockets.tls.v3.UpstreamTlsContext`,
  downstreamTls: `${EXTENSIONS}transport_sockets.tls.v3.DownstreamTlsContext`,
  routeRules: `${EXTENSIONS}filters.http.rbac.v3.RBACPerRoute`,
} as const;

/** Packed messages that are looked into; others are compared by their bytes. */
const PACKED: Readonly<Record<string, Message>> = {
  [EXTENSION.http]: HttpConnectionManager,
  [EXTENSION.tcp]: TcpProxy,
  [EXTENSION.upstreamTls]: UpstreamTlsContext,
  [EXTENSION.downstreamTls]: DownstreamTlsContext,
  [EXTENSION.routeRules]: RBACPerRoute,
};

/** What decides how well, but not who is served and by whom: limits, retries, times, logs, names of statistics. */
const UNCOMPARED = new Set([
  "accessLog",
  "altStatName",
  "circuitBreakers",
  "connectTimeout",
  "idleTimeout",
  "listenerFiltersTimeout",
  "maxConnectAttempts",
  "retryPolicy",
  "statPrefix",
  "timeout",
  "tracing",
  "typedExtensionProtocolOptions",
  "upgradeConfigs",
  "validateClusters",
]);

/** Lists in which one field says which element is meant, whatever its place. Order within other lists is not compared. */
const LABELS: Readonly<Record<string, string>> = { routes: "match" };

/** The lines of a resource, in ascending order. Throws what protobufjs throws for bytes that are not of this type. */
export function linesOf(typeUrl: string, bytes: Uint8Array): readonly string[] {
  const message = RESOURCES[typeUrl];
  return message === undefined ? [] : linesOfMessage(message.decode(bytes)).sort();
}

/** The lines of a decoded message, as they come. */
export function linesOfMessage(message: object): string[] {
  const lines: string[] = [];
  addFields(message, "", lines);
  return lines;
}

function addFields(message: object, path: string, lines: string[]): void {
  if ("type_url" in message) {
    addPacked(message, path, lines);
    return;
  }
  const before = lines.length;
  for (const [key, value] of Object.entries(message)) {
    if (!UNCOMPARED.has(key) && !key.startsWith("$")) addValue(value, path === "" ? key : `${path}.${key}`, lines);
  }
  // A message without fields says something by being there; a map does not.
  const isMap = Object.getPrototypeOf(message) === Object.prototype;
  if (lines.length === before && !isMap && path !== "") lines.push(path);
}

function addPacked(any: { type_url?: unknown; value?: unknown }, path: string, lines: string[]): void {
  const type = String(any.type_url);
  const bytes = any.value instanceof Uint8Array ? any.value : new Uint8Array();
  lines.push(`${path}: ${type.slice(type.lastIndexOf(".") + 1)}`);
  const message = PACKED[type];
  if (message !== undefined) addFields(message.decode(bytes), path, lines);
  else if (bytes.length > 0) lines.push(`${path}: bytes ${Buffer.from(bytes).toString("hex")}`);
}

function addValue(value: unknown, path: string, lines: string[]): void {
  // What has its default is not on the wire, or need not be.
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return;
  if (Array.isArray(value)) addList(value, path, lines);
  else if (value instanceof Uint8Array) lines.push(`${path}: bytes ${Buffer.from(value).toString("hex")}`);
  else if (typeof value !== "object") lines.push(`${path}: ${value}`);
  else if ("low" in value && "high" in value) lines.push(`${path}: ${value}`);
  else addFields(value, path, lines);
}

function addList(list: readonly unknown[], path: string, lines: string[]): void {
  // Thousands of them are compared by name where callers are.
  if (path.endsWith(".principals")) {
    lines.push(`${path}: ${list.length}`);
    return;
  }
  const label = LABELS[path.slice(path.lastIndexOf(".") + 1)] ?? "name";
  for (const each of list) {
    if (typeof each !== "object" || each === null) {
      addValue(each, path, lines);
      continue;
    }
    const { [label]: name, ...rest } = each as Record<string, unknown>;
    if (typeof name === "string" && name !== "") addValue(new Rest(rest), `${path}[${name}]`, lines);
    else if (typeof name === "object" && name !== null) addValue(new Rest(rest), `${path}[${inOne(name)}]`, lines);
    else lines.push(`${path}: ${inOne(each)}`);
  }
}

/** Of an element without a name: it is right or wrong as a whole. */
function inOne(message: object): string {
  return linesOfMessage(message).sort().join(", ") || "any";
}

/** What is left of an element beside its name. */
class Rest {
  constructor(fields: object) {
    Object.assign(this, fields);
  }
}
