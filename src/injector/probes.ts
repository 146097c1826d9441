import type { Container, HttpGetAction, Probe } from "../kube/objects.ts";
import { sidecarPorts } from "./sidecar-containers.ts";

export type ProbeKind = "liveness" | "readiness" | "startup";

/** A probe that now goes through the sidecar: what its bootstrap needs to pass it on to the application. */
export interface RewrittenProbe {
  readonly kind: ProbeKind;
  readonly container: string;
  /** `HTTPS` is passed through as it is, so there is at most one per kind: the last container's. */
  readonly scheme: "HTTP" | "HTTPS";
  /** The path that the kubelet now asks for. */
  readonly path: string;
  /** The application's own path, with its query if it has one. */
  readonly originalPath: string;
  /** The application's port, on loopback. */
  readonly originalPort: number;
  readonly timeoutSeconds: number;
}

/** The path that the kubelet asks the sidecar for on behalf of `container`. */
export function probePath(kind: ProbeKind, container: string): string {
  return `/osm-${kind}-probe/${container}`;
}

/**
 * A kubelet cannot speak mTLS, so probes take a way around it, as in OSM: httpGet by listeners of the sidecar,
 * tcpSocket by the `osm-healthcheck` container, which dials on loopback. exec and grpc stay as they are. A port name
 * that no container port has is left in place: the kubelet then names it when the probe fails.
 */
export function rewriteProbes(containers: readonly Container[]): {
  readonly containers: readonly Container[];
  readonly probes: readonly RewrittenProbe[];
  /** Some probe needs the `osm-healthcheck` container. */
  readonly hasTcpProbe: boolean;
} {
  const probes: RewrittenProbe[] = [];
  let hasTcpProbe = false;
  const rewritten = containers.map((container) => {
    const change = (kind: ProbeKind, field: "livenessProbe" | "readinessProbe" | "startupProbe") => {
      const probe = container[field];
      if (probe === undefined) return {};
      const { httpGet, tcpSocket, ...timing } = probe;
      const port = resolvePort(container, httpGet?.port ?? tcpSocket?.port);
      if (port === undefined) return {};
      if (httpGet === undefined) {
        hasTcpProbe = true;
        return { [field]: { ...timing, httpGet: healthcheckAction(port) } };
      }
      const moved = moveHttpProbe(kind, container.name, httpGet, port, probe);
      probes.push(moved.record);
      return { [field]: { ...timing, httpGet: moved.httpGet } };
    };
    return {
      ...container,
      ...change("liveness", "livenessProbe"),
      ...change("readiness", "readinessProbe"),
      ...change("startup", "startupProbe"),
    };
  });
  return { containers: rewritten, probes: probes.filter(isLastHttps), hasTcpProbe };
}

function moveHttpProbe(kind: ProbeKind, container: string, httpGet: HttpGetAction, port: number, probe: Probe) {
  const scheme = httpGet.scheme?.toUpperCase() === "HTTPS" ? "HTTPS" : "HTTP";
  const originalPath = httpGet.path ?? "/";
  const path = scheme === "HTTPS" ? originalPath : probePath(kind, container);
  const record: RewrittenProbe = {
    kind,
    container,
    scheme,
    path,
    originalPath: originalPath.startsWith("/") ? originalPath : `/${originalPath}`,
    originalPort: port,
    timeoutSeconds: probe.timeoutSeconds ?? 1,
  };
  return { record, httpGet: { ...httpGet, path, port: sidecarPorts[kind] } };
}

function healthcheckAction(port: number): HttpGetAction {
  return {
    path: "/osm-healthcheck",
    port: sidecarPorts.healthcheck,
    httpHeaders: [{ name: "Original-Tcp-Port", value: String(port) }],
  };
}

function resolvePort(container: Container, port: number | string | undefined): number | undefined {
  if (typeof port !== "string") return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find(({ name }) => name === port)?.containerPort;
}

function isLastHttps(probe: RewrittenProbe, index: number, all: readonly RewrittenProbe[]): boolean {
  if (probe.scheme === "HTTP") return true;
  return !all.slice(index + 1).some((other) => other.scheme === "HTTPS" && other.kind === probe.kind);
}
