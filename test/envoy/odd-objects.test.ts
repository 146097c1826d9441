import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeObject } from "../../src/kube/mod.ts";
import { classOf, createMeshStore, proxyView } from "../../src/mesh/mod.ts";
import { createTranslation } from "../../src/translate/mod.ts";
import { type AdsMesh, type AdsProxy, startAdsMesh, unbound } from "./ads-mesh.ts";
import { describeWithEnvoy } from "./binary.ts";
import { type LeafMaker, leafMaker } from "./leaves.ts";

const inShop = (name: string, labels = {}) => ({ name, namespace: "shop", labels });

function service(name: string, spec: object): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: inShop(name),
    spec: { ports: [{ port: 80 }], ...spec },
  } as KubeObject;
}

function slice(owner: string, addresses: readonly string[], hostname?: string): KubeObject {
  const metadata = inShop(`${owner}-${hostname ?? addresses[0]?.replaceAll(/[.:]/g, "-")}`.toLowerCase(), {
    "kubernetes.io/service-name": owner,
  });
  const addressType = addresses[0]?.includes(":") ? "IPv6" : "IPv4";
  const endpoints = addresses.map((address) => ({
    addresses: [address],
    ...(hostname === undefined ? {} : { hostname }),
  }));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata,
    addressType,
    ports: [{ port: 80 }],
    endpoints,
  } as KubeObject;
}

const namespace = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "shop", labels: { "openservicemesh.io/monitored-by": "osm" } },
};
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: inShop("pod", { app: "a", "osm-proxy-uuid": "6f5c9c1e-0000-4000-8000-000000000000" }),
  spec: { serviceAccountName: "a", containers: [{ name: "main", ports: [{ name: "one", containerPort: 80 }] }] },
  status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }], phase: "Running" },
};
const selector = { app: "a" };
const longest = "x".repeat(63);

const worlds: Readonly<Record<string, readonly KubeObject[]>> = {
  "one address in several spellings": [
    service("a", { clusterIP: "fd00::1" }),
    service("b", { clusterIP: "fd00:0::1" }),
    service("c", { clusterIP: "FD00:0:0:0:0:0:0:1" }),
  ],
  "an IPv4 address within an IPv6 address": [
    service("a", { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "::ffff:10.96.0.1"] }),
    service("b", { clusterIP: "::ffff:10.96.0.1" }),
    service("c", { clusterIP: "::ffff:a60:1" }),
  ],
  "one endpoint in two spellings": [
    service("a", { clusterIP: "None", selector }),
    slice("a", ["fd00::5", "fd00:0::5"]),
  ],
  "two headless Services over one endpoint": [
    service("a", { clusterIP: "None" }),
    slice("a", ["fd00::5"]),
    service("b", { clusterIP: "None" }),
    slice("b", ["FD00:0::5"]),
  ],
  "addresses that nobody can have": [
    service("a", { clusterIP: "0.0.0.0", selector }),
    service("b", { clusterIP: "255.255.255.255" }),
    service("c", { clusterIP: "::" }),
    slice("a", ["0.0.0.0", "127.0.0.1", "224.0.0.1"]),
  ],
  "the longest name": [service(longest, { clusterIP: "10.96.0.1", selector }), slice(longest, ["10.0.0.1"])],
  "several ports that lead to one": [
    service("a", {
      clusterIP: "10.96.0.1",
      selector,
      ports: [
        { name: "x", port: 80, targetPort: 80 },
        { name: "tcp-y", port: 81, targetPort: 80 },
        { name: "grpc-z", port: 82, targetPort: "one" },
        { name: "first", port: 83, targetPort: "one", appProtocol: "tcp-server-first" },
      ],
    }),
  ],
  "one number for TCP, UDP and SCTP": [
    service("a", {
      clusterIP: "10.96.0.1",
      selector,
      ports: ["TCP", "UDP", "SCTP"].map((protocol) => ({ name: protocol.toLowerCase(), port: 53, protocol })),
    }),
  ],
  "the proxy's own ports": [
    service("a", {
      clusterIP: "10.96.0.1",
      selector,
      ports: [15000, 15001, 15003, 65535, 1].map((port) => ({ name: `p${port}`, port })),
    }),
  ],
  "host names that are none": [
    service("db", { clusterIP: "None", selector }),
    ...["db", "db-0", "Db-0", "a.b", "*", "shop"].map((hostname, position) =>
      slice("db", [`10.0.1.${position}`], hostname),
    ),
  ],
  "a pod's name that is a Service's, and a Service's that is a namespace's": [
    service("shop", { clusterIP: "10.96.0.1", selector }),
    service("svc", { clusterIP: "None", selector }),
    slice("svc", ["10.0.0.1"], "shop"),
  ],
};

describeWithEnvoy("row 72: Envoy accepts what comes of", () => {
  let mesh: AdsMesh;
  let proxy: AdsProxy;
  let leaves: LeafMaker;
  beforeAll(async () => {
    [mesh, leaves] = await Promise.all([startAdsMesh(), leafMaker()]);
    proxy = await mesh.startProxy("pod");
  });
  afterAll(async () => await mesh?.stop());

  test.each(Object.entries(worlds))("%s", async (_name, objects) => {
    const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
    const store = createMeshStore();
    const all = [namespace, pod, ...objects] as readonly KubeObject[];
    store.apply(translation.apply(all.map((object) => ({ type: "apply", object, source: "test" }))));
    const snapshot = store.snapshot();
    const view = proxyView(snapshot, classOf(snapshot, "shop", "pod") ?? "");
    expect(view.resources.length).toBeGreaterThan(0);
    const before = proxy.refusals.length;
    await proxy.publish([...unbound(view.resources), ...(await leaves.secretsOf(view.identity))]);
    expect(proxy.refusals.slice(before)).toEqual([]);
  });
});
