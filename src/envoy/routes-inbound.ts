/**
 * Encodes inbound routes and the access rules that each of them carries. By hand, after
 * envoy/config/route/v3/{route,route_components}.proto, envoy/config/rbac/v3/rbac.proto and
 * envoy/extensions/filters/http/rbac/v3/rbac.proto, for the reasons of `routes-outbound.ts`. A test holds the result
 * against the generated encoder.
 */
import protobuf from "protobufjs/minimal.js";
import { contentHash } from "../lib/mod.ts";
import type { HeaderMatch, InboundRoute, InboundRouteView } from "../mesh/mod.ts";
import { EXTENSIONS, RESOURCE_TYPE_URLS, ROUTE_POLICY } from "./names.ts";
import { ROUTE_TAG, writeNoTimeLimit, writeUnvalidated } from "./route-fields.ts";
import { bytesTag, varintTag } from "./wire-tags.ts";

const TAG = {
  headerMatcher: { name: bytesTag(1), stringMatch: bytesTag(13) },
  stringMatcher: { exact: bytesTag(1), safeRegex: bytesTag(5) },
  regex: bytesTag(2),
  map: { key: bytesTag(1), value: bytesTag(2) },
  any: { typeUrl: bytesTag(1), value: bytesTag(2) },
  perRoute: { rbac: bytesTag(2) },
  filter: { rules: bytesTag(1) },
  /** Its action is 0, ALLOW: what no policy names is refused. */
  rules: { policies: bytesTag(2) },
  policy: { permissions: bytesTag(1), principals: bytesTag(2) },
  permission: { any: varintTag(3) },
  principal: { authenticated: bytesTag(4) },
  authenticated: { name: bytesTag(2) },
} as const;

const PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute";

/** Routes of one port of the application, each with its own access rules. What no route matches is 404. */
export function encodeInboundRoutes(view: InboundRouteView): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(ROUTE_TAG.configuration.name).string(view.name);
  for (const host of view.virtualHosts) {
    writer.uint32(ROUTE_TAG.configuration.virtualHosts).fork();
    writer.uint32(ROUTE_TAG.virtualHost.name).string(host.name);
    for (const domain of host.domains) writer.uint32(ROUTE_TAG.virtualHost.domains).string(domain);
    for (const route of host.routes) {
      writer.uint32(ROUTE_TAG.virtualHost.routes).fork();
      writeRoute(writer, route);
      writer.ldelim();
    }
    writer.ldelim();
  }
  writeUnvalidated(writer);
  return writer.finish();
}

/** The resource that `generate` makes of inbound routes. */
export function generateInboundRoutes(view: InboundRouteView) {
  const bytes = encodeInboundRoutes(view);
  return { typeUrl: RESOURCE_TYPE_URLS.route, name: view.name, version: contentHash(bytes), bytes };
}

function writeRoute(writer: protobuf.Writer, { pathRegex, method, headers, cluster, principals }: InboundRoute): void {
  writer.uint32(ROUTE_TAG.route.match).fork();
  // Envoy matches a regex against the whole path without its query, as SMI means it.
  if (pathRegex === ".*") writer.uint32(ROUTE_TAG.match.prefix).string("");
  if (method !== "*") {
    writeHeaderName(writer, ":method").uint32(TAG.stringMatcher.exact).string(method).ldelim().ldelim();
  }
  for (const header of headers) writeHeader(writer, header);
  if (pathRegex !== ".*") writeRegex(writer.uint32(ROUTE_TAG.match.safeRegex), pathRegex);
  writer.ldelim();
  writer.uint32(ROUTE_TAG.route.action).fork().uint32(ROUTE_TAG.action.cluster).string(cluster);
  writeNoTimeLimit(writer);
  writer.ldelim();
  if (principals !== undefined) writeRules(writer, principals);
}

/** Opens a matcher and its text matcher. */
function writeHeaderName(writer: protobuf.Writer, name: string): protobuf.Writer {
  writer.uint32(ROUTE_TAG.match.headers).fork().uint32(TAG.headerMatcher.name).string(name);
  return writer.uint32(TAG.headerMatcher.stringMatch).fork();
}

function writeHeader(writer: protobuf.Writer, { name, regex }: HeaderMatch): void {
  writeHeaderName(writer, name === "host" ? ":authority" : name);
  writeRegex(writer.uint32(TAG.stringMatcher.safeRegex), regex);
  writer.ldelim().ldelim();
}

/** Envoy refuses the empty regex, which matches the empty text. */
function writeRegex(writer: protobuf.Writer, regex: string): void {
  writer
    .fork()
    .uint32(TAG.regex)
    .string(regex === "" ? "(?:)" : regex)
    .ldelim();
}

/**
 * Rules of one route: an empty list lets nobody through. A principal is compared with each DNS SAN of the client's
 * verified certificate.
 */
function writeRules(writer: protobuf.Writer, principals: readonly string[]): void {
  writer.uint32(ROUTE_TAG.route.typedPerFilterConfig).fork().uint32(TAG.map.key).string(EXTENSIONS.httpRbac);
  writer.uint32(TAG.map.value).fork().uint32(TAG.any.typeUrl).string(PER_ROUTE);
  writer.uint32(TAG.any.value).fork().uint32(TAG.perRoute.rbac).fork().uint32(TAG.filter.rules).fork();
  if (principals.length > 0) writePolicy(writer, principals);
  writer.ldelim().ldelim().ldelim().ldelim().ldelim();
}

function writePolicy(writer: protobuf.Writer, principals: readonly string[]): void {
  writer.uint32(TAG.rules.policies).fork().uint32(TAG.map.key).string(ROUTE_POLICY).uint32(TAG.map.value).fork();
  writer.uint32(TAG.policy.permissions).fork().uint32(TAG.permission.any).bool(true).ldelim();
  for (const principal of principals) {
    writer.uint32(TAG.policy.principals).fork().uint32(TAG.principal.authenticated).fork();
    writer.uint32(TAG.authenticated.name).fork().uint32(TAG.stringMatcher.exact).string(principal);
    writer.ldelim().ldelim().ldelim();
  }
  writer.ldelim().ldelim();
}
