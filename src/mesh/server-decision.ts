import { RE2JS } from "re2js";
import type { DecisionCandidate, DecisionRequest } from "./decision.ts";
import type { GrantedRoute } from "./inbound-routes.ts";
import { grantsTo, routesTo } from "./inbound-view.ts";
import { hostNames, principalName } from "./resource-names.ts";
import type { PortModel } from "./service-model.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import { portKey } from "./split-policy.ts";
import type { Identity } from "./view.ts";
import { findPort, opensTcpPort } from "./visible-services.ts";

type Answer = Pick<DecisionCandidate, "outcome" | "reason">;

/** The pod's side of a connection: its identity, its port, and the Service port by which it was chosen. */
export interface ServerEnd extends Identity {
  readonly targetPort: number;
  readonly port: PortModel;
}

/** What the server's proxy does with a plain TCP connection. */
export function connectOutcome(snapshot: MeshSnapshot, source: Identity, server: ServerEnd): Answer {
  if (snapshot.settings.isPermissive) return { outcome: "allowed", reason: "the mesh is permissive" };
  const grant = grantsTo(snapshot, server).find(
    (own) => opensTcpPort(own, server.targetPort) && isSource(own.sources, source),
  );
  if (grant !== undefined)
    return {
      outcome: "allowed",
      reason: `TrafficTarget "${grant.namespace}/${grant.name}" opens port ${server.targetPort}`,
    };
  return {
    outcome: "refused",
    reason: `no TrafficTarget opens port ${server.targetPort} of "${server.namespace}/${server.serviceAccount}" to this client`,
  };
}

/** What the server's proxy does with an HTTP request: connection first, then virtual host, route, and principal. */
export function requestOutcome(
  snapshot: MeshSnapshot,
  request: DecisionRequest,
  authority: string,
  server: ServerEnd,
): Answer {
  const { source } = request;
  const { isPermissive } = snapshot.settings;
  const mayConnect =
    isPermissive || grantsTo(snapshot, server).some((own) => own.http !== undefined && isSource(own.sources, source));
  if (!mayConnect) return { outcome: "refused", reason: "no TrafficTarget with HTTP routes names this client" };
  if (!answersTo(snapshot, authority, server)) {
    return { outcome: "no-route-404", reason: `the server does not answer to "${authority}"` };
  }
  const route = routesTo(snapshot, server).find((own) => matches(own, request, authority));
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
      reason: isPermissive ? "the mesh is permissive" : `route "${description}" is open to this client`,
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

/** The Service's own names, and those of the apexes whose splits lead here. */
function answersTo(snapshot: MeshSnapshot, authority: string, { port }: ServerEnd): boolean {
  const apexKeys = snapshot.namespaces.get(port.namespace)?.splits.apexesByBackend.get(portKey(port)) ?? [];
  const whole =
    port.host === undefined
      ? []
      : [findPort(snapshot, portKey({ label: `${port.namespace}/${port.service}`, port: port.port }))];
  return [port, ...whole, ...apexKeys.map((key) => findPort(snapshot, key))].some(
    (own) =>
      own !== undefined &&
      hostNames(own, [own.port], { ...snapshot.options, isSameNamespace: true }).includes(authority),
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
