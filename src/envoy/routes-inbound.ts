import type { envoy } from "../../proto/gen/resources.js";
import type { HeaderMatch, InboundRoute, InboundRouteView } from "../mesh/mod.ts";
import { routeRbac } from "./rbac.ts";

type HeaderMatcher = envoy.config.route.v3.HeaderMatcher.$Properties;

/** Routes of one port of the application, each with its own access rules. What no route matches is 404. */
export function inboundRoutes(view: InboundRouteView): envoy.config.route.v3.RouteConfiguration.$Properties {
  return {
    name: view.name,
    virtualHosts: view.virtualHosts.map((host) => ({
      name: host.name,
      domains: [...host.domains],
      routes: host.routes.map(route),
    })),
    validateClusters: { value: false },
  };
}

function route(rule: InboundRoute): envoy.config.route.v3.Route.$Properties {
  return {
    match: { ...pathMatch(rule.pathRegex), headers: [...methodMatch(rule.method), ...rule.headers.map(headerMatch)] },
    route: { cluster: rule.cluster, timeout: {} },
    typedPerFilterConfig: routeRbac(rule.principals),
  };
}

/** Envoy matches a regex against the whole path without its query, as SMI means it. */
function pathMatch(regex: string): envoy.config.route.v3.RouteMatch.$Properties {
  return regex === ".*" ? { prefix: "" } : { safeRegex: whole(regex) };
}

function methodMatch(method: string): HeaderMatcher[] {
  return method === "*" ? [] : [{ name: ":method", stringMatch: { exact: method } }];
}

function headerMatch({ name, regex }: HeaderMatch): HeaderMatcher {
  return { name: name === "host" ? ":authority" : name, stringMatch: { safeRegex: whole(regex) } };
}

/** Envoy refuses the empty regex, which matches the empty text. */
function whole(regex: string): envoy.type.matcher.v3.RegexMatcher.$Properties {
  return { regex: regex === "" ? "(?:)" : regex };
}
