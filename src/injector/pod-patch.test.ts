import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Pod } from "../kube/objects.ts";
import type { PodWishes } from "./decision.ts";
import type { PatchOptions, SidecarSettings } from "./pod-patch.ts";
import { injectPod } from "./pod-patch.ts";

const noWishes: PodWishes = {
  isScraped: false,
  inboundPortExclusions: [],
  outboundPortExclusions: [],
  outboundIpRangeExclusions: [],
  outboundIpRangeInclusions: [],
};
const settings: SidecarSettings = {
  sidecar: {
    enablePrivilegedInitContainer: false,
    logLevel: "error",
    envoyImage: "",
    initContainerImage: "",
    localProxyMode: "Localhost",
  },
  interception: {
    outboundIpRangeExclusions: [],
    outboundIpRangeInclusions: [],
    outboundPortExclusions: [],
    inboundPortExclusions: [],
    networkInterfaceExclusions: [],
  },
};

function options(changes: Partial<PatchOptions> = {}): PatchOptions {
  return {
    uuid: "5f0bd9a4-6a5e-4f0c-9a50-b4e1c0b0a001",
    namespace: "shop",
    wishes: noWishes,
    settings,
    defaultImages: { envoy: "proxy:1", init: "init:1", healthcheck: "healthcheck:1" },
    ...changes,
  };
}

function pod(spec: Partial<Pod["spec"]> = {}, labels: Record<string, string> = { app: "web" }): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-0", namespace: "shop", labels },
    spec: { serviceAccountName: "web", containers: [{ name: "app", image: "app:1" }], ...spec },
  };
}

const probed: Partial<Pod["spec"]> = {
  initContainers: [{ name: "migrate", image: "app:1" }],
  volumes: [{ name: "data", emptyDir: {} }],
  containers: [
    {
      name: "app",
      image: "app:1",
      ports: [{ name: "web", containerPort: 8080 }],
      livenessProbe: { httpGet: { path: "/live?deep=1", port: "web" }, periodSeconds: 5 },
      readinessProbe: { httpGet: { port: 8081, scheme: "HTTPS", path: "/ready" }, timeoutSeconds: 3 },
      startupProbe: { exec: { command: ["true"] } },
    },
    { name: "store", image: "store:1", readinessProbe: { tcpSocket: { port: 6379 }, failureThreshold: 2 } },
  ],
};

const scoped: Partial<PatchOptions> = {
  wishes: {
    isScraped: true,
    inboundPortExclusions: [80, 9000],
    outboundPortExclusions: Array.from({ length: 17 }, (_, index) => 7000 + index),
    outboundIpRangeExclusions: ["10.1.0.0/16"],
    outboundIpRangeInclusions: ["10.0.0.0/8"],
  },
  settings: {
    sidecar: {
      ...settings.sidecar,
      envoyImage: "own-proxy:2",
      logLevel: "debug",
      enablePrivilegedInitContainer: true,
      localProxyMode: "PodIP",
      resources: { limits: { memory: "128Mi" } },
    },
    interception: {
      ...settings.interception,
      inboundPortExclusions: [80],
      outboundIpRangeExclusions: ["192.168.0.0/16", "10.1.0.0/16"],
      networkInterfaceExclusions: ["net1", "$(id)"],
    },
  },
};

describe("the patched pod is what OSM's users have seen so far", () => {
  test.each([
    ["plain", pod(), options()],
    ["probes", pod(probed), options()],
    ["scoped", pod({}, {}), options(scoped)],
  ])("%s", async (name, given, wanted) => {
    const { pod: patched, probes, bootstrapSecret } = injectPod(given, wanted);
    const text = stringify({ pod: patched, bootstrapSecret, probes }, { lineWidth: 0, aliasDuplicateObjects: false });
    await expect(text).toMatchFileSnapshot(`__goldens__/${name}.yaml`);
  });
});

test("a pod that names its uuid keeps it, so that certificates made for it stay good", () => {
  const { pod: patched, uuid, bootstrapSecret } = injectPod(pod({}, { "osm-proxy-uuid": "own-1" }), options());
  expect([uuid, bootstrapSecret, patched.metadata.labels]).toEqual([
    "own-1",
    "envoy-bootstrap-config-own-1",
    { "osm-proxy-uuid": "own-1" },
  ]);
});

test("a second patch changes nothing, so that a webhook may be called twice", () => {
  const { pod: once } = injectPod(pod(probed), options());
  expect(injectPod(once, options({ uuid: "another" })).pod).toEqual(once);
});

test("a probe on a port name that nobody has stays as it is, so that the kubelet names it", () => {
  const readinessProbe = { httpGet: { port: "nowhere" } };
  const { pod: patched, probes } = injectPod(pod({ containers: [{ name: "app", readinessProbe }] }), options());
  expect(patched.spec.containers[0]?.readinessProbe).toEqual(readinessProbe);
  expect(probes).toEqual({});
});
