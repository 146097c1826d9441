/**
 * The same routes as one table for all services, as control planes on snapshot or linear caches mostly serve them: one edit
 * anywhere in it sends all of it to everybody.
 */
import { envoy } from "../../proto/gen/envoy.js";
import type { ResourceDump } from "./go-control-plane.ts";

const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;

const LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const HTTP_FILTER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/** What the names of tables for outbound requests begin with, and the name of the one that takes their place. */
const OUTBOUND = "rds-outbound.";
const TABLE = "rds-outbound";

type Dumped = ResourceDump["classes"][string][number];

/** Puts all outbound routes of each class into one table, to which its listeners refer. */
export function withOneRouteTable({ classes, nodes }: ResourceDump): ResourceDump {
  // Classes that were served the same share it.
  const known = new Map<string, Dumped>();
  const once = (key: string, make: () => Dumped) => {
    const made = known.get(key) ?? make();
    known.set(key, made);
    return made;
  };
  const merged = Object.entries(classes).map(([name, resources]) => {
    const outbound = resources.filter((each) => each.typeUrl === ROUTE && each.name.startsWith(OUTBOUND));
    if (outbound.length === 0) return [name, resources] as const;
    const others = resources.filter((each) => !outbound.includes(each));
    const key = outbound.map((each) => each.value).join(" ");
    const table = once(key, () => ({ typeUrl: ROUTE, name: TABLE, value: tableOf(outbound) }));
    const referring = others.map((each) =>
      each.typeUrl === LISTENER ? once(each.value, () => ({ ...each, value: referringToTable(each.value) })) : each,
    );
    return [name, [...referring, table]] as const;
  });
  return { classes: Object.fromEntries(merged), nodes };
}

function tableOf(routes: readonly Dumped[]): string {
  const [first, ...others] = routes.map(({ value }) => RouteConfiguration.decode(Buffer.from(value, "base64")));
  if (first === undefined) throw new Error("there are no outbound routes");
  first.name = TABLE;
  for (const { virtualHosts } of others) first.virtualHosts.push(...virtualHosts);
  return Buffer.from(RouteConfiguration.encode(first).finish()).toString("base64");
}

function referringToTable(value: string): string {
  const listener = Listener.decode(Buffer.from(value, "base64"));
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  for (const filter of chains.flatMap(({ filters }) => filters ?? [])) {
    if (filter.typedConfig?.type_url !== HTTP_FILTER || !filter.typedConfig.value) continue;
    const manager = HttpConnectionManager.decode(filter.typedConfig.value);
    if (!manager.rds?.routeConfigName?.startsWith(OUTBOUND)) continue;
    manager.rds.routeConfigName = TABLE;
    filter.typedConfig.value = HttpConnectionManager.encode(manager).finish();
  }
  return Buffer.from(Listener.encode(listener).finish()).toString("base64");
}
