/** Manifests as people write them, as short as a test wants them. */

export type Manifest = { readonly kind: string } & Readonly<Record<string, unknown>>;

interface PodWishes {
  readonly account: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What `pod-server.ts` listens on; none: a pod that only asks. */
  readonly serves?: readonly string[];
  /** The name by which it answers; its own when absent. */
  readonly says?: string;
  /** HTTP port of the readiness probe. */
  readonly probed?: number;
}

export function namespace(name: string, isInMesh: boolean): Manifest {
  const labels = isInMesh ? { "openservicemesh.io/monitored-by": "osm" } : {};
  const annotations = isInMesh ? { "openservicemesh.io/sidecar-injection": "enabled" } : {};
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels, annotations } };
}

function podSpec({ account, serves, says, probed }: PodWishes) {
  const probe =
    probed === undefined
      ? {}
      : { readinessProbe: { httpGet: { path: "/health", port: probed }, periodSeconds: 1, failureThreshold: 1 } };
  const container = {
    name: "main",
    image: serves === undefined ? "client" : "server",
    args: serves ?? [],
    env: says === undefined ? [] : [{ name: "APP", value: says }],
    ...probe,
  };
  return { serviceAccountName: account, terminationGracePeriodSeconds: 1, containers: [container] };
}

export function pod(where: string, name: string, wishes: PodWishes): Manifest {
  const { labels = {}, annotations = {} } = wishes;
  const metadata = { name, namespace: where, labels, annotations };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: podSpec(wishes) };
}

export function statefulSet(where: string, name: string, replicas: number, wishes: PodWishes): Manifest {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(wishes) };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: where },
    spec: { replicas, serviceName: name, selector: { matchLabels: labels }, template },
  };
}

export interface PortWishes {
  readonly name: string;
  readonly port: number;
  readonly targetPort?: number;
  readonly appProtocol?: string;
}

export function service(
  where: string,
  name: string,
  selector: Readonly<Record<string, string>>,
  ports: readonly PortWishes[],
  more: Readonly<Record<string, unknown>> = {},
): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: where },
    spec: { selector, ports, ...more },
  };
}

export interface Mode {
  readonly isPermissive?: boolean;
  readonly hasEgress?: boolean;
}

export function meshConfig({ isPermissive = false, hasEgress = false }: Mode): Manifest {
  return {
    apiVersion: "config.openservicemesh.io/v1alpha2",
    kind: "MeshConfig",
    metadata: { name: "osm-mesh-config", namespace: "osm-system" },
    spec: { traffic: { enablePermissiveTrafficPolicyMode: isPermissive, enableEgress: hasEgress } },
  };
}

/** A rule of a target: `NAME:match,match` names matches of an HTTPRouteGroup, `NAME` alone a TCPRoute. */
export function target(
  where: string,
  name: string,
  access: { readonly to: string; readonly from: readonly string[]; readonly rules: readonly string[] },
): Manifest {
  const account = (text: string) => {
    const [ns, own] = text.split("/");
    return { kind: "ServiceAccount", name: own, namespace: ns };
  };
  const rules = access.rules.map((rule) => {
    const [own, matches] = rule.split(":");
    return matches === undefined
      ? { kind: "TCPRoute", name: own }
      : { kind: "HTTPRouteGroup", name: own, matches: matches.split(",") };
  });
  return {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: { name, namespace: where },
    spec: { destination: account(access.to), sources: access.from.map(account), rules },
  };
}

export interface HttpMatchWishes {
  readonly name: string;
  readonly pathRegex?: string;
  readonly methods?: readonly string[];
  readonly headers?: readonly Readonly<Record<string, string>>[];
}

export function httpRoutes(where: string, name: string, matches: readonly HttpMatchWishes[]): Manifest {
  const metadata = { name, namespace: where };
  return { apiVersion: "specs.smi-spec.io/v1alpha4", kind: "HTTPRouteGroup", metadata, spec: { matches } };
}

export function tcpRoute(where: string, name: string, ports: readonly number[]): Manifest {
  const metadata = { name, namespace: where };
  return { apiVersion: "specs.smi-spec.io/v1alpha4", kind: "TCPRoute", metadata, spec: { matches: { ports } } };
}

export function split(where: string, apex: string, weights: Readonly<Record<string, number>>): Manifest {
  const backends = Object.entries(weights).map(([own, weight]) => ({ service: own, weight }));
  return {
    apiVersion: "split.smi-spec.io/v1alpha2",
    kind: "TrafficSplit",
    metadata: { name: "split", namespace: where },
    spec: { service: apex, backends },
  };
}
