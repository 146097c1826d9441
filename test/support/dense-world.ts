/** Random worlds without gaps: every Service has the endpoints that Kubernetes would give it, and most requests find one. */
import fc from "fast-check";
import type {
  EndpointsRecord,
  MeshRecord,
  NamespaceRecord,
  PodRecord,
  ServicePort,
  ServiceRecord,
} from "../../src/mesh/mod.ts";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  podRecord,
  servicePort,
  serviceRecord,
  tcpRoute,
  trafficSplit,
  trafficTarget,
} from "./records.ts";

export const NAMESPACES = ["shop", "depot"] as const;
export const SERVICES = ["a", "b", "c"] as const;
/** Of the pods of a namespace, in their order. A proxy keeps its identity as long as it lives. */
const ACCOUNTS = ["a", "b", "a"] as const;

/** The address of a Service that has one: the same in every world. */
export function clusterIp(namespace: string, service: string): string {
  return `10.96.${positionOf(NAMESPACES, namespace)}.${positionOf(SERVICES, service)}`;
}

/** The address of a pod: the same in every world. */
export function podAddress(namespace: string, position: number): string {
  return `10.244.${positionOf(NAMESPACES, namespace)}.${position}`;
}

function positionOf(names: readonly string[], name: string): number {
  return names.indexOf(name) + 1;
}

/** Mostly true. */
const mostly = fc.integer({ min: 0, max: 9 }).map((value) => value > 0);

function podsIn(namespace: string): fc.Arbitrary<readonly (PodRecord & { isReady: boolean })[]> {
  const pods = ACCOUNTS.map((serviceAccount, position) =>
    fc
      .record({
        labels: fc.record({ app: fc.constantFrom("a", "b"), tier: fc.constantFrom("x", "y") }),
        hasProxy: mostly,
        isReady: mostly,
        subdomain: fc.constantFrom("", "", ...SERVICES),
        named: fc.constantFrom(8080, 7070),
      })
      .map(({ labels, hasProxy, isReady, subdomain, named }) => {
        const name = `pod-${position}`;
        const { proxyUuid, ...pod } = podRecord(namespace, name, labels.app, podAddress(namespace, position), {
          serviceAccount,
          labels,
          ports: [{ name: "named", port: named }],
          ...(subdomain === "" ? {} : { hostname: name, subdomain }),
        });
        return { ...pod, isReady, ...(hasProxy && proxyUuid !== undefined ? { proxyUuid } : {}) };
      }),
  );
  return fc.tuple(...pods);
}

const port = fc.record({
  targetPort: fc.constantFrom<(number | string)[]>(8080, 9090, "named"),
  protocol: fc.constantFrom("http", "http", "http", "grpc", "tcp", "tcp-server-first"),
} as const);

function servicesIn(namespace: string): fc.Arbitrary<readonly ServiceRecord[]> {
  const services = SERVICES.map((service) =>
    fc
      .record({
        selector: fc.constantFrom({ app: "a" }, { app: "b" }, { tier: "x" }),
        isHeadless: fc.constantFrom(true, false, false, false),
        web: port,
        raw: fc.option(port, { nil: undefined }),
      })
      .map(({ selector, isHeadless, web, raw }) =>
        serviceRecord(namespace, service, {
          selector,
          isHeadless,
          clusterIps: isHeadless ? [] : [clusterIp(namespace, service)],
          ports: [
            servicePort({ name: "web", port: 80, ...web }),
            ...(raw === undefined ? [] : [servicePort({ name: "raw", port: 81, ...raw })]),
          ],
        }),
      ),
  );
  return fc.tuple(...services);
}

/** As Kubernetes makes them: one slice for the pods that share what the ports' names mean. */
function slicesOf(service: ServiceRecord, pods: readonly (PodRecord & { isReady: boolean })[]): EndpointsRecord[] {
  const wanted = Object.entries(service.selector ?? {});
  const selected = pods.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
  return selected.map((pod) => {
    const ports = service.ports.map((own) => ({ name: own.name, port: numberOf(own, pod) }));
    return endpointSlice(service, [pod], ports, `${service.name}-${pod.name}`);
  });
}

function numberOf({ targetPort }: ServicePort, pod: PodRecord): number {
  return typeof targetPort === "number" ? targetPort : (pod.ports.find(({ name }) => name === targetPort)?.port ?? 0);
}

function policiesIn(namespace: string): fc.Arbitrary<readonly MeshRecord[]> {
  const matches = fc.constantFrom(["one"], ["two"], ["one", "two"]);
  const rule = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("HTTPRouteGroup" as const), name: fc.constantFrom("r", "s"), matches }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("TCPRoute" as const),
        name: fc.constantFrom("r", "s"),
        matches: fc.constant([]),
      }),
    },
  );
  const accounts = NAMESPACES.flatMap((own) => ["a", "b"].map((account) => `${own}/${account}`));
  const targets = ["w", "x", "y", "z"].map((name) =>
    fc
      .record({
        to: fc.constantFrom(`${namespace}/a`, `${namespace}/a`, `${namespace}/b`),
        from: fc.subarray(accounts, { minLength: 1, maxLength: 2 }),
        rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
      })
      .map((access) => trafficTarget(namespace, name, access)),
  );
  const match = fc.record({
    pathRegex: fc.constantFrom(".*", "/x", "/x|/y", "/y"),
    methods: fc.constantFrom(["*"], ["GET"], ["GET", "POST"]),
    headers: fc.constantFrom([], [], [], [{ name: "user", regex: "a.*" }], [{ name: "host", regex: "b.*" }]),
  });
  const groups = ["r", "s"].map((name) =>
    fc
      .tuple(match, match)
      .map(([one, two]) => httpRouteGroup(namespace, name, [httpMatch("one", one), httpMatch("two", two)])),
  );
  const routes = ["r", "s"].map((name) =>
    fc.subarray([8080, 9090, 7070]).map((ports) => tcpRoute(namespace, name, ports)),
  );
  const split = fc
    .record({
      service: fc.constantFrom("a", `c.${namespace}`, "b", "pod-0.a"),
      weights: fc.dictionary(fc.constantFrom(...SERVICES, "gone"), fc.constantFrom(0, 1, 2), {
        minKeys: 1,
        maxKeys: 3,
      }),
      isThere: fc.boolean(),
    })
    .map(({ service, weights, isThere }) => (isThere ? [trafficSplit(namespace, "split", service, weights)] : []));
  return fc
    .tuple(fc.tuple(...targets), fc.tuple(...groups), fc.tuple(...routes), split)
    .map((parts): readonly MeshRecord[] => parts.flat());
}

/** A namespace of the mesh, half of the time with a scope that leaves something out. */
export function namespaceOfMesh(namespace: string): fc.Arbitrary<NamespaceRecord> {
  const entries = NAMESPACES.flatMap((other) =>
    other === namespace ? [] : [{ namespace: other }, ...SERVICES.map((service) => ({ namespace: other, service }))],
  );
  return fc
    .oneof(fc.constant(undefined), fc.subarray(entries, { maxLength: 2 }))
    .map((outboundScope) => namespaceRecord(namespace, outboundScope === undefined ? {} : { outboundScope }));
}

function recordsIn(namespace: string): fc.Arbitrary<readonly MeshRecord[]> {
  return fc
    .tuple(namespaceOfMesh(namespace), podsIn(namespace), servicesIn(namespace), policiesIn(namespace))
    .map(([own, pods, services, policies]) => [
      own,
      ...pods.map(({ isReady: _, ...pod }) => pod),
      ...services,
      ...services.flatMap((service) => slicesOf(service, pods)),
      ...policies,
    ]);
}

export function denseWorld(): fc.Arbitrary<readonly MeshRecord[]> {
  const settings = fc.record({ isPermissive: fc.constantFrom(true, false, false), isEgressEnabled: fc.boolean() });
  return fc
    .tuple(settings, ...NAMESPACES.map(recordsIn))
    .map(([own, ...records]) => [meshConfig(own), ...records.flat()]);
}
