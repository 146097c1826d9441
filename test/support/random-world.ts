/** Random small worlds in which names, labels, addresses and ports collide often. */
import fc from "fast-check";
import type { MeshRecord, PodRecord } from "../../src/mesh/mod.ts";
import { namespaceOfMesh } from "./dense-world.ts";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  podRecord,
  servicePort,
  serviceRecord,
  tcpRoute,
  trafficSplit,
  trafficTarget,
} from "./records.ts";

const NAMES = ["a", "b", "c"] as const;
const NAMESPACES = ["shop", "depot"] as const;
const small = fc.integer({ min: 0, max: 2 });
const name = fc.constantFrom(...NAMES);
const createdAt = fc.integer({ min: 0, max: 2 });

const port = fc.record({
  name: fc.constantFrom("", "web", "raw"),
  port: fc.constantFrom(80, 81),
  targetPort: fc.constantFrom(8080, 9090, "named"),
  protocol: fc.constantFrom("http", "grpc", "tcp", "tcp-server-first"),
} as const);

function serviceIn(namespace: string): fc.Arbitrary<MeshRecord> {
  return fc
    .record({
      name,
      selector: fc.constantFrom(undefined, { app: "a" }, { app: "b" }, { tier: "x" }),
      isHeadless: fc.boolean(),
      ip: small,
      createdAt,
      ports: fc.uniqueArray(port, { minLength: 1, maxLength: 3, selector: (entry) => entry.name }),
    })
    .map(({ name: service, ip, selector, ...rest }) => {
      const { selector: _default, ...base } = serviceRecord(namespace, service, {
        ...rest,
        clusterIps: rest.isHeadless ? [] : [`10.96.0.${ip}`],
        ports: rest.ports.map((entry) => servicePort(entry)),
      });
      return selector === undefined ? base : { ...base, selector };
    });
}

/** Pods have an address of their own each, as Kubernetes gives them. */
function podIn(namespace: string): fc.Arbitrary<PodRecord> {
  return fc
    .record({
      position: small,
      app: fc.constantFrom("a", "b"),
      tier: fc.constantFrom("x", "y"),
      serviceAccount: name,
      isNamed: fc.boolean(),
      hasProxy: fc.boolean(),
      subdomain: name,
      namedPort: fc.constantFrom(8080, 7070),
      createdAt,
    })
    .map(({ position, app, tier, serviceAccount, isNamed, hasProxy, subdomain, namedPort, createdAt: age }) => {
      const address = `10.244.${NAMESPACES.indexOf(namespace as "shop") + 1}.${position}`;
      const { proxyUuid, ...pod } = podRecord(namespace, `pod-${position}`, app, address, {
        serviceAccount,
        labels: { app, tier },
        ports: [{ name: "named", port: namedPort }],
        createdAt: age,
        ...(isNamed ? { hostname: `pod-${position}`, subdomain } : {}),
      });
      return hasProxy && proxyUuid !== undefined ? { ...pod, proxyUuid } : pod;
    });
}

function endpointsIn(namespace: string, others: readonly string[]): fc.Arbitrary<MeshRecord> {
  const row = fc.record({
    namespace: fc.constantFrom(namespace, ...others),
    position: small,
    isReady: fc.boolean(),
    isReferenced: fc.boolean(),
  });
  return fc
    .record({
      service: name,
      slice: small,
      rows: fc.array(row, { maxLength: 3 }),
      ports: fc.uniqueArray(
        fc.record({ name: fc.constantFrom("", "web", "raw"), port: fc.constantFrom(8080, 9090, 7070) }),
        {
          selector: (entry) => entry.name,
        },
      ),
    })
    .map(({ service, slice, rows, ports }) => {
      const base = endpointSlice({ namespace, name: service }, [], ports, `${service}-${slice}`);
      const endpoints = rows.map((entry) => ({
        addresses: [`10.244.${NAMESPACES.indexOf(entry.namespace as "shop") + 1}.${entry.position}`],
        isReady: entry.isReady,
        ...(entry.isReferenced ? { pod: `pod-${entry.position}` } : {}),
      }));
      return { ...base, subsets: [{ ports, endpoints }] };
    });
}

function policyIn(namespace: string, others: readonly string[]): fc.Arbitrary<MeshRecord> {
  const rule = fc.oneof(
    fc.record({
      kind: fc.constant("HTTPRouteGroup" as const),
      name,
      matches: fc.array(fc.constantFrom("one", "two", "unknown"), { maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant("TCPRoute" as const), name, matches: fc.constant([]) }),
  );
  const anyNamespace = fc.constantFrom(namespace, ...others);
  const account = fc.tuple(anyNamespace, name).map(([where, who]) => `${where}/${who}`);
  const target = fc
    .record({
      name,
      to: account,
      from: fc.array(account, { maxLength: 2 }),
      rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
      createdAt,
    })
    .map(({ name: own, to, from, rules, createdAt: age }) =>
      trafficTarget(namespace, own, { to, from, rules }, { createdAt: age }),
    );
  const match = fc.record({
    pathRegex: fc.constantFrom(".*", "/x", "/x|/y"),
    methods: fc.constantFrom(["*"], ["GET"], ["GET", "POST"]),
    headers: fc.constantFrom([], [{ name: "user", regex: "a.*" }], [{ name: "host", regex: "b.*" }]),
  });
  const group = fc
    .tuple(name, match, match)
    .map(([own, one, two]) => httpRouteGroup(namespace, own, [httpMatch("one", one), httpMatch("two", two)]));
  const route = fc.tuple(name, fc.subarray([8080, 9090, 7070])).map(([own, ports]) => tcpRoute(namespace, own, ports));
  const split = fc
    .record({
      name,
      service: fc.constantFrom(
        "a",
        "b",
        `c.${namespace}`,
        `a.${namespace}.svc.cluster.local:80`,
        "pod-0.a",
        ...others.map((other) => `a.${other}`),
      ),
      weights: fc.dictionary(fc.constantFrom("a", "b", "c", "gone"), small, { minKeys: 1, maxKeys: 3 }),
      createdAt,
    })
    .map(({ name: own, service, weights, createdAt: age }) =>
      trafficSplit(namespace, own, service, weights, { createdAt: age }),
    );
  return fc.oneof(target, group, route, split);
}

/** Records of one namespace; `others` are namespaces that its policies, and its handwritten endpoints, may point into. */
export function recordsIn(
  namespace: string,
  others: readonly string[],
  endpointOthers = others,
): fc.Arbitrary<MeshRecord> {
  return fc.oneof(
    { weight: 3, arbitrary: serviceIn(namespace) },
    { weight: 3, arbitrary: podIn(namespace) as fc.Arbitrary<MeshRecord> },
    { weight: 2, arbitrary: endpointsIn(namespace, endpointOthers) },
    { weight: 4, arbitrary: policyIn(namespace, others) },
  );
}

/** The namespaces of the mesh and its settings. */
export const fixedRecords = fc
  .tuple(
    fc.record({ isPermissive: fc.boolean(), isEgressEnabled: fc.boolean() }),
    ...NAMESPACES.map((own) => namespaceOfMesh(own)),
  )
  .map(([settings, ...namespaces]): readonly MeshRecord[] => [...namespaces, meshConfig(settings)]);

/** A list of records in which one object may come several times. */
export function worldRecords(): fc.Arbitrary<readonly MeshRecord[]> {
  const [shop, depot] = NAMESPACES;
  const some = fc.array(fc.oneof(recordsIn(shop, [depot]), recordsIn(depot, [shop])), { minLength: 5, maxLength: 40 });
  return fc.tuple(fixedRecords, some).map(([fixed, records]) => [...fixed, ...records]);
}

/**
 * Worlds in which pods also take addresses of others, end, or have their node's, and Endpoints stand beside slices. Where
 * requests of such pods would go is not told.
 */
export function restlessRecords(): fc.Arbitrary<readonly MeshRecord[]> {
  const marks = fc.record({ isTerminated: fc.boolean(), isHostNetwork: fc.boolean(), isScraped: fc.boolean() });
  const twists = fc.array(fc.record({ marks, position: small, isObject: fc.boolean() }), {
    minLength: 40,
    maxLength: 40,
  });
  return fc.tuple(worldRecords(), twists).map(([records, all]) =>
    records.map((record, position): MeshRecord => {
      const twist = all[position % all.length];
      if (twist === undefined) return record;
      if (record.kind === "Pod") {
        const addresses = record.addresses.map((address) => address.replace(/\d$/, `${twist.position}`));
        return { ...record, ...twist.marks, addresses };
      }
      if (record.kind !== "EndpointSlice" || !twist.isObject) return record;
      const { service } = record;
      return { ...record, kind: "Endpoints", name: service, ref: { ...record.ref, kind: "Endpoints", name: service } };
    }),
  );
}
