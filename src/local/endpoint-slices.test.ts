import { describe, expect, test } from "vitest";
import type { Pod } from "../kube/objects.ts";
import { allocateClusterIps } from "./cluster-ips.ts";
import { endpointSlicesOf } from "./endpoint-slices.ts";
import { podWithStatus } from "./pod-status.ts";
import type { LocalService } from "./services.ts";
import { readService } from "./services.ts";

function service(spec: object, name = "web", namespace = "shop"): LocalService {
  const read = readService({ apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec });
  if (read === undefined) throw new Error(`not a service: ${JSON.stringify(spec)}`);
  return read;
}

interface PodOptions {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly spec?: Partial<Pod["spec"]>;
  readonly isReady?: boolean;
  readonly deletedAt?: string;
  readonly address?: string;
  readonly phase?: "Running" | "Succeeded";
}

function pod(name: string, options: PodOptions = {}): Pod {
  const { namespace = "shop", labels = { app: "web" }, spec, ...condition } = options;
  const bare: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }], ...spec },
  };
  return podWithStatus(bare, {
    uid: `uid-${name}`,
    createdAt: "2026-01-01T00:00:00Z",
    nodeName: "local",
    nodeAddress: "10.96.0.2",
    address: "10.244.0.9",
    phase: "Running",
    isInitialized: true,
    isReady: true,
    ...condition,
  });
}

const selecting = { selector: { app: "web" }, ports: [{ name: "web", port: 80, targetPort: "http" }] };
const addresses = (slices: readonly object[]) =>
  slices.flatMap((slice) => (slice as { endpoints: { addresses: string[] }[] }).endpoints.map((e) => e.addresses[0]));

describe("endpoints of a Service", () => {
  test("are the pods that it selects, with what a cluster says of them", () => {
    const [slice] = endpointSlicesOf(service(selecting), [pod("b"), pod("a", { isReady: false })]);
    expect(slice).toMatchObject({
      kind: "EndpointSlice",
      metadata: { namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
      ports: [{ name: "web", port: 8080, protocol: "TCP" }],
      endpoints: [
        { conditions: { ready: false, serving: false, terminating: false }, targetRef: { kind: "Pod", name: "a" } },
        {
          addresses: ["10.244.0.9"],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: "local",
          targetRef: { kind: "Pod", namespace: "shop", name: "b", uid: "uid-b" },
        },
      ],
    });
  });

  test("are never pods of another namespace, finished ones, or ones without an address", () => {
    const bare: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "c", namespace: "shop", labels: { app: "web" } },
      spec: { containers: [] },
    };
    const others = [pod("a", { namespace: "other" }), pod("b", { phase: "Succeeded" }), bare, pod("d", { labels: {} })];
    expect(addresses(endpointSlicesOf(service(selecting), others))).toEqual([]);
    expect(endpointSlicesOf(service(selecting), others)).toHaveLength(1);
  });

  test("stand in one slice for each number that a port's name stands for", () => {
    const other = pod("b", { spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort: 9090 }] }] } });
    const slices = endpointSlicesOf(service(selecting), [pod("a"), other]);
    expect(slices.map(({ ports }) => ports)).toMatchObject([[{ port: 8080 }], [{ port: 9090 }]]);
    expect(new Set(slices.map(({ metadata }) => metadata.name)).size).toBe(2);
  });

  test("have a name of their own under the Service that names them, and no other", () => {
    const named = pod("web-0", { spec: { hostname: "web-0", subdomain: "web" } });
    const [own] = endpointSlicesOf(service({ ...selecting, clusterIP: "None" }), [named]);
    const [other] = endpointSlicesOf(service(selecting, "front"), [named]);
    expect([own?.endpoints, other?.endpoints]).toMatchObject([[{ hostname: "web-0" }], [{}]]);
    expect(JSON.stringify(other)).not.toContain("hostname");
  });

  test("are ready before their pods where the Service says so, and not while a pod is stopped", () => {
    const early = service({ ...selecting, publishNotReadyAddresses: true });
    expect(endpointSlicesOf(early, [pod("a", { isReady: false })])[0]?.endpoints).toMatchObject([
      { conditions: { ready: true, serving: false } },
    ]);
    expect(
      endpointSlicesOf(service(selecting), [pod("a", { deletedAt: "2026-01-01T00:00:01Z" })])[0]?.endpoints,
    ).toMatchObject([{ conditions: { ready: false, serving: true, terminating: true } }]);
  });

  test("are nobody's business when they are written by hand", () => {
    expect(endpointSlicesOf(service({ ports: [{ port: 80 }] }), [pod("a")])).toEqual([]);
  });
});

describe("cluster IPs", () => {
  const plain = { ports: [{ port: 80 }] };

  test("are the same after a restart, whatever the order, and no two are equal", () => {
    const services = Array.from({ length: 2000 }, (_, index) => service(plain, `web-${index}`));
    const first = allocateClusterIps(services, new Map());
    expect(new Set(first.values()).size).toBe(2000);
    expect(allocateClusterIps([...services].reverse(), new Map())).toEqual(first);
    for (const address of first.values()) expect(address).toMatch(/^10\.96\.(?!0\.)\d+\.\d+$/);
  });

  test("stay with a Service while it lives, unless another declares its address", () => {
    const before = new Map([
      ["shop/a", "10.96.7.7"],
      ["shop/b", "10.96.8.8"],
    ]);
    const taker = service({ ...plain, clusterIP: "10.96.7.7" }, "taker");
    const after = allocateClusterIps([service(plain, "a"), service(plain, "b"), taker], before);
    expect([after.get("shop/b"), after.get("shop/taker")]).toEqual(["10.96.8.8", "10.96.7.7"]);
    expect(after.get("shop/a")).toMatch(/^10\.96\.(?!7\.7$)/);
  });

  test("that are declared are kept; the second who declares one gets none; headless ones have none", () => {
    const own = { ...plain, clusterIP: "172.20.0.9" };
    const given = allocateClusterIps(
      [service(own, "b"), service(own, "a"), service({ ...plain, clusterIP: "None" }, "c")],
      new Map(),
    );
    expect([...given]).toEqual([["shop/a", "172.20.0.9"]]);
  });
});

test("a Service with a wrong field costs nothing but itself", () => {
  const wrong = (spec: unknown) => readService({ apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec });
  for (const spec of [{ ports: [{ port: 70000 }] }, { ports: "80" }, { clusterIP: "10.0.0" }, { type: "Other" }, []]) {
    expect(wrong(spec)).toBeUndefined();
  }
});
