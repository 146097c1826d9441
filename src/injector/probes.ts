import { type Probe as ApplicationProbe, PROBE_KINDS, type ProbeKind, probePath } from "../envoy/bootstrap.ts";
import type { Container, HttpGetAction } from "../kube/objects.ts";
import { sidecarPorts } from "./sidecar-containers.ts";

/** The application's own probes, for the bootstrap of the proxy that passes them on. */
export type ApplicationProbes = Readonly<Partial<Record<ProbeKind, readonly ApplicationProbe[]>>>;

const fields = { liveness: "livenessProbe", readiness: "readinessProbe", startup: "startupProbe" } as const;

/**
 * A kubelet cannot speak mTLS, so probes take a way around it, as in OSM: httpGet by listeners of the sidecar,
 * tcpSocket by the `osm-healthcheck` container, which dials on loopback. exec and grpc stay as they are. A port name
 * that no container port has is left in place: the kubelet then names it when the probe fails.
 */
export function rewriteProbes(containers: readonly Container[]): {
  readonly containers: readonly Container[];
  readonly probes: ApplicationProbes;
  /** Some probe needs the `osm-healthcheck` container. */
  readonly hasTcpProbe: boolean;
} {
  const probes: Partial<Record<ProbeKind, ApplicationProbe[]>> = {};
  let hasTcpProbe = false;
  const rewritten = containers.map((container) => {
    const changes: Partial<Container> = {};
    for (const kind of PROBE_KINDS) {
      const probe = container[fields[kind]];
      if (probe === undefined) continue;
      const { httpGet, tcpSocket, ...timing } = probe;
      const port = resolvePort(container, httpGet?.port ?? tcpSocket?.port);
      if (port === undefined) continue;
      const action = httpGet === undefined ? healthcheckAction(port) : proxyAction(kind, container.name, httpGet);
      Object.assign(changes, { [fields[kind]]: { ...timing, httpGet: action } });
      if (httpGet === undefined) hasTcpProbe = true;
      else {
        const own = applicationProbe(container.name, httpGet, port, probe.timeoutSeconds ?? 1);
        probes[kind] = [...(probes[kind] ?? []), own];
      }
    }
    return { ...container, ...changes };
  });
  return { containers: rewritten, probes, hasTcpProbe };
}

function isHttps({ scheme }: HttpGetAction): boolean {
  return scheme?.toUpperCase() === "HTTPS";
}

/** TLS hides the path from the proxy, so an HTTPS probe keeps it. */
function proxyAction(kind: ProbeKind, container: string, httpGet: HttpGetAction): HttpGetAction {
  const path = isHttps(httpGet) ? {} : { path: probePath(kind, container) };
  return { ...httpGet, ...path, port: sidecarPorts[kind] };
}

function applicationProbe(
  container: string,
  httpGet: HttpGetAction,
  port: number,
  timeoutSeconds: number,
): ApplicationProbe {
  if (isHttps(httpGet)) return { scheme: "HTTPS", container, port };
  const path = httpGet.path ?? "/";
  return { scheme: "HTTP", container, path: path.startsWith("/") ? path : `/${path}`, port, timeoutSeconds };
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
