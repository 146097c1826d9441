import { RE2JS } from "re2js";
import type { DecisionCandidate, DecisionRequest } from "./decision.ts";
import type { GrantedRoute } from "./inbound-routes.ts";
import { inboundHosts, routesTo } from "./inbound-view.ts";
import { hostNames, principalName } from "./resource-names.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { Identity } from "./view.ts";
import { grantsTo, opensTcpPort } from "./visible-services.ts";
import type { WorkloadClass } from "./workload-class.ts";

type Answer = Pick<DecisionCandidate, "outcome" | "reason">;

/** The pod's side of a connection. */
export interface ServerEnd {
  readonly workload: WorkloadClass;
  readonly targetPort: number;
}

/** What the server's proxy does with a plain TCP connection. */
export function connectOutcome(snapshot: MeshSnapshot, source: Identity, server: ServerEnd): Answer {
  if (snapshot.settings.isPermissive) return { outcome: "allowed", reason: "the mesh is permissive" };
  const grant = grantsTo(snapshot, server.workload).find(
    (own) => opensTcpPort(own, server.targetPort) && isSource(own.sources, source),
  );
  if (grant !== undefined)
    return {
      outcome: "allowed",
      reason: `TrafficTarget "${grant.namespace}/${grant.name}" opens port ${server.targetPort}`,
    };
  return {
    outcome: "refused",
    reason: `no TrafficTarget opens port ${server.targetPort} of "${server.workload.namespace}/${server.workload.serviceAccount}" to this client`,
  };
}

/** What the server's proxy does with an HTTP request: virtual host first, then route, and principal. */
export function requestOutcome(
  snapshot: MeshSnapshot,
  request: DecisionRequest,
  authority: string,
  server: ServerEnd,
): Answer {
  const { source } = request;
  if (!answersTo(snapshot, authority, server)) {
    return { outcome: "no-route-404", reason: `the server does not answer to "${authority}"` };
  }
  const route = routesTo(snapshot, server.workload).find((own) => matches(own, request, authority));
  if (route === undefined) {
    return { outcome: "no-route-404", reason: "no HTTPRouteGroup match that is open on the server takes this request" };
  }
  const description = `${route.method} ${route.pathRegex}`;
  const principal = principalName(
    { namespace: source.namespace, name: source.serviceAccount },
    snapshot.options.trustDomain,
  );
  if (route.principals === undefined || route.principals.includes(principal)) {
    return {
      outcome: "allowed",
      reason: snapshot.settings.isPermissive
        ? "the mesh is permissive"
        : `route "${description}" is open to this client`,
    };
  }
  return { outcome: "denied-403", reason: `route "${description}" is open to others, not to this client` };
}

function isSource(
  sources: readonly { readonly namespace: string; readonly name: string }[],
  source: Identity,
): boolean {
  return sources.some(({ namespace, name }) => namespace === source.namespace && name === source.serviceAccount);
}

/** Any name of the pod's Services at this port will do, and those of the apexes whose splits lead to them. */
function answersTo(snapshot: MeshSnapshot, authority: string, { workload, targetPort }: ServerEnd): boolean {
  return inboundHosts(snapshot, workload, targetPort).some(({ parts, ports }) =>
    hostNames(parts, ports, { ...snapshot.options, isSameNamespace: true }).includes(authority),
  );
}

function matches(route: GrantedRoute, request: DecisionRequest, authority: string): boolean {
  const { method = "GET", path = "/", headers = {} } = request;
  if (route.method !== "*" && route.method !== method.toUpperCase()) return false;
  if (!matchesInFull(route.pathRegex, path.split("?")[0] ?? path)) return false;
  return route.headers.every(({ name, regex }) => {
    const value = name === "host" ? authority : headers[name];
    return value !== undefined && matchesInFull(regex, value);
  });
}

/** RE2, as Envoy does: the whole text must match. */
function matchesInFull(regex: string, text: string): boolean {
  return RE2JS.compile(regex).matches(text);
}
