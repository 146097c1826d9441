import type { Rejection } from "../lib/mod.ts";
import { keepIfSame, sameElements } from "./content-equality.ts";
import { comparePrecedence } from "./precedence.ts";
import type {
  HttpMatch,
  HttpRouteGroupRecord,
  RouteRule,
  ServiceAccountName,
  TcpRouteRecord,
  TrafficTargetRecord,
} from "./records.ts";

/** What one TrafficTarget grants, with its routes looked up. */
export interface AccessGrant {
  readonly namespace: string;
  readonly name: string;
  /** Service account in `namespace`. */
  readonly destination: string;
  readonly sources: readonly ServiceAccountName[];
  /** Requests to HTTP ports; undefined: HTTP ports stay closed. May be empty: the Service is seen, and no route of it is open. */
  readonly http?: readonly HttpMatch[];
  /** Connections to plain TCP ports of the pod; undefined: none. */
  readonly tcp?: "any" | readonly number[];
  /**
   * The destination and the kinds of ports as one text: all of the grant that its sources see. Who else is a source, and
   * which requests are let in, is the destination's business alone.
   */
  readonly reach: string;
}

export interface AccessPolicy {
  /** In order of precedence. */
  readonly grants: readonly AccessGrant[];
  readonly rejections: readonly Rejection[];
  readonly inputs: readonly unknown[];
}

interface RouteObjects {
  readonly groups: ReadonlyMap<string, HttpRouteGroupRecord>;
  readonly tcpRoutes: ReadonlyMap<string, TcpRouteRecord>;
}

/** Resolves the TrafficTargets of one namespace of the mesh against its route objects. */
export function accessPolicy(
  targets: ReadonlyMap<string, TrafficTargetRecord>,
  routes: RouteObjects,
  previous?: AccessPolicy,
): AccessPolicy {
  const inputs = [targets, routes.groups, routes.tcpRoutes];
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const grants: AccessGrant[] = [];
  const rejections: Rejection[] = [];
  const before = new Map(previous?.grants.map((grant) => [grant.name, grant]));
  for (const target of [...targets.values()].sort(comparePrecedence)) {
    if (target.destination.namespace !== target.namespace) {
      rejections.push(foreignDestination(target));
      continue;
    }
    grants.push(keepIfSame(before.get(target.name), resolveTarget(target, routes, rejections)));
  }
  return {
    grants: keepIfSame(previous?.grants, grants),
    rejections: keepIfSame(previous?.rejections, rejections),
    inputs,
  };
}

function foreignDestination(target: TrafficTargetRecord): Rejection {
  const { namespace, name } = target.destination;
  return {
    ...target.ref,
    strength: "object",
    field: "spec.destination.namespace",
    reason: "destination-namespace",
    message: `Service account "${name}" lies in namespace "${namespace}": a TrafficTarget opens service accounts of its own namespace "${target.namespace}" alone. Move the TrafficTarget there.`,
  };
}

function resolveTarget(target: TrafficTargetRecord, routes: RouteObjects, rejections: Rejection[]): AccessGrant {
  let http: HttpMatch[] | undefined;
  let tcp: "any" | readonly number[] | undefined;
  for (const [position, rule] of target.rules.entries()) {
    const part = (field: string, reason: string, message: string) =>
      rejections.push({ ...target.ref, strength: "part", field: `spec.rules[${position}].${field}`, reason, message });
    if (rule.kind === "TCPRoute") {
      const route = routes.tcpRoutes.get(rule.name);
      if (route !== undefined) tcp = joinPorts(tcp, route.ports);
      else part("name", "tcp-route-missing", missingRoute(target, rule));
      continue;
    }
    const group = routes.groups.get(rule.name);
    if (group === undefined) {
      part("name", "route-group-missing", missingRoute(target, rule));
      continue;
    }
    http ??= [];
    for (const [matchPosition, name] of rule.matches.entries()) {
      const matches = group.matches.filter((match) => match.name === name);
      http.push(...matches);
      if (matches.length > 0) continue;
      const known = group.matches.map((match) => `"${match.name}"`).join(", ") || "none";
      part(
        `matches[${matchPosition}]`,
        "match-unknown",
        `HTTPRouteGroup "${rule.name}" has no match "${name}"; it has: ${known}.`,
      );
    }
  }
  return {
    namespace: target.namespace,
    name: target.name,
    destination: target.destination.name,
    sources: target.sources,
    reach: `${http === undefined ? "" : "http"}|${tcp ?? ""}|${target.namespace}/${target.destination.name}`,
    ...(http === undefined ? {} : { http }),
    ...(tcp === undefined ? {} : { tcp }),
  };
}

function missingRoute(target: TrafficTargetRecord, rule: RouteRule): string {
  return `There is no ${rule.kind} "${target.namespace}/${rule.name}" in force; this rule grants nothing. Create it or remove the rule.`;
}

/** An empty list of a TCPRoute means every port. */
function joinPorts(known: "any" | readonly number[] | undefined, added: readonly number[]): "any" | readonly number[] {
  if (known === "any" || added.length === 0) return "any";
  return [...new Set([...(known ?? []), ...added])].sort((left, right) => left - right);
}
