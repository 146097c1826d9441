import { canonicalJson } from "../lib/mod.ts";
import type { AccessGrant } from "./access-policy.ts";
import { compareText } from "./precedence.ts";
import type { HeaderMatch } from "./records.ts";
import { principalName } from "./resource-names.ts";

/** One kind of request and who may make it. */
export interface GrantedRoute {
  readonly pathRegex: string;
  /** `*` = any. */
  readonly method: string;
  readonly headers: readonly HeaderMatch[];
  /** DNS SANs, sorted; undefined = anybody. */
  readonly principals?: readonly string[];
}

/** The one route of permissive mode. */
export const ANY_ROUTE: GrantedRoute = { pathRegex: ".*", method: "*", headers: [] };

/**
 * The routes that `grants` open, in an order in which the first match gives each caller all that any grant gives it:
 * equal routes are one, and a route that takes in another (any path or the same, any method or the same, fewer
 * headers) comes after it and lends it its principals. Routes whose regular expressions overlap in other ways keep to
 * the first match alone.
 */
export function grantedRoutes(grants: readonly AccessGrant[], trustDomain: string): readonly GrantedRoute[] {
  const routes = new Map<string, { route: GrantedRoute; principals: Set<string> }>();
  for (const { http, sources } of grants) {
    for (const { pathRegex, methods, headers } of http ?? []) {
      for (const method of methods.includes("*") ? ["*"] : methods) {
        const route = { pathRegex, method, headers: sortedHeaders(headers) };
        const key = canonicalJson(route);
        const known = routes.get(key) ?? { route, principals: new Set() };
        routes.set(key, known);
        for (const source of sources) known.principals.add(principalName(source, trustDomain));
      }
    }
  }
  const byPath = Map.groupBy(routes.values(), ({ route }) => route.pathRegex);
  const everyPath = byPath.get(ANY_ROUTE.pathRegex) ?? [];
  return [...routes]
    .sort(
      ([leftKey, left], [rightKey, right]) => compareReach(left.route, right.route) || compareText(leftKey, rightKey),
    )
    .map(([, { route, principals }]) => {
      const all = new Set(principals);
      const wider =
        route.pathRegex === ANY_ROUTE.pathRegex ? everyPath : [...(byPath.get(route.pathRegex) ?? []), ...everyPath];
      for (const other of wider) {
        if (takesIn(other.route, route)) for (const principal of other.principals) all.add(principal);
      }
      return { ...route, principals: [...all].sort() };
    });
}

function sortedHeaders(headers: readonly HeaderMatch[]): readonly HeaderMatch[] {
  return [...headers].sort((left, right) => compareText(left.name, right.name) || compareText(left.regex, right.regex));
}

/** Orders by what a route takes in: never a wider one before one that it takes in. */
function compareReach(left: GrantedRoute, right: GrantedRoute): number {
  const any = (route: GrantedRoute) => Number(route.pathRegex === ANY_ROUTE.pathRegex);
  if (any(left) !== any(right)) return any(left) - any(right);
  if (left.headers.length !== right.headers.length) return right.headers.length - left.headers.length;
  return Number(left.method === "*") - Number(right.method === "*");
}

/** Whether every request that `inner` matches is matched by `outer`, as far as can be told without reading expressions. */
function takesIn(outer: GrantedRoute, inner: GrantedRoute): boolean {
  if (outer.pathRegex !== inner.pathRegex && outer.pathRegex !== ANY_ROUTE.pathRegex) return false;
  if (outer.method !== inner.method && outer.method !== ANY_ROUTE.method) return false;
  return outer.headers.every((header) =>
    inner.headers.some((other) => other.name === header.name && other.regex === header.regex),
  );
}
