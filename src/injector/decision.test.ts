import { describe, expect, test } from "vitest";
import type { Pod } from "../kube/objects.ts";
import type { InjectDecision } from "./decision.ts";
import { injectDecision } from "./decision.ts";

const injection = "openservicemesh.io/sidecar-injection";
const meshed = { "openservicemesh.io/monitored-by": "osm" };

function decide(options: {
  pod?: Record<string, string>;
  podLabels?: Record<string, string>;
  spec?: Partial<Pod["spec"]>;
  namespace?: Record<string, string>;
  labels?: Record<string, string>;
  name?: string;
}): InjectDecision {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", annotations: options.pod ?? {}, labels: options.podLabels ?? {} },
    spec: { containers: [{ name: "app", image: "app" }], ...options.spec },
  };
  return injectDecision({
    pod,
    namespace: {
      name: options.name ?? "shop",
      labels: options.labels ?? meshed,
      annotations: options.namespace ?? { [injection]: "enabled" },
    },
    meshName: "osm",
    osmNamespace: "osm-system",
  });
}

describe("a pod gets a sidecar", () => {
  test.each([
    ["because its namespace asks for it", {}],
    ["in any spelling of yes", { namespace: { [injection]: "YES" } }],
    ["because it asks for it itself", { namespace: {}, pod: { [injection]: "true" } }],
    ["against its namespace's word", { namespace: { [injection]: "no" }, pod: { [injection]: "enabled" } }],
  ])("%s", (_why, options) => {
    expect(decide(options)).toMatchObject({ inject: true });
  });
});

describe("a pod gets no sidecar", () => {
  test.each([
    ["on the host's network", { spec: { hostNetwork: true }, pod: { [injection]: "perhaps" } }],
    ["in kube-system", { name: "kube-system" }],
    ["in the mesh's own namespace", { name: "osm-system" }],
    ["in a namespace of another mesh", { labels: { "openservicemesh.io/monitored-by": "other" } }],
    ["in an ignored namespace", { labels: { ...meshed, "openservicemesh.io/ignore": "true" } }],
    ["where nobody asks for it", { namespace: {} }],
    ["when it says no itself", { pod: { [injection]: "disabled" } }],
  ])("%s", (_why, options) => {
    expect(decide(options)).toEqual({ inject: false });
  });
});

describe("a pod is denied with the reason when", () => {
  const list = (name: string, value: string) => ({ pod: { [`openservicemesh.io/${name}`]: value } });
  test.each([
    ["its annotation says neither yes nor no", { pod: { [injection]: "perhaps" } }, '"perhaps"'],
    [
      "its namespace's annotation does",
      { pod: { [injection]: "no" }, namespace: { [injection]: "1" } },
      "namespace shop",
    ],
    [
      "its namespace's metrics annotation does",
      { namespace: { [injection]: "yes", "openservicemesh.io/metrics": "on" } },
      "metrics",
    ],
    ["an excluded port is 0", list("inbound-port-exclusion-list", "80,0"), '"0"'],
    ["an excluded port is too high", list("outbound-port-exclusion-list", "65536"), '"65536"'],
    ["an excluded port is no number", list("outbound-port-exclusion-list", "80, http"), '"http"'],
    ["a range has no length", list("outbound-ip-range-exclusion-list", "10.0.0.0"), '"10.0.0.0"'],
    ["a range is too long", list("outbound-ip-range-inclusion-list", "10.0.0.0/33"), '"10.0.0.0/33"'],
    ["a range is IPv6", list("outbound-ip-range-inclusion-list", "fd00::/8"), '"fd00::/8"'],
    ["a container has the proxy's name", { spec: { containers: [{ name: "envoy" }] } }, '"envoy"'],
    ["its service account has a dot", { spec: { serviceAccountName: "a.b" } }, '"a.b"'],
    ["its uuid could not be part of a certificate's name", { podLabels: { "osm-proxy-uuid": "a.b" } }, '"a.b"'],
  ])("%s", (_why, options, named) => {
    expect(decide(options)).toEqual({ denied: expect.stringContaining(named) });
  });
});

test("lists of the pod and the namespace's wish for metrics come with the decision", () => {
  const pod = {
    "openservicemesh.io/inbound-port-exclusion-list": "80, 443",
    "openservicemesh.io/outbound-ip-range-exclusion-list": "1.2.3.0/24,10.0.0.1/32",
  };
  const namespace = { [injection]: "enabled", "openservicemesh.io/metrics": "enabled" };
  expect(decide({ pod, namespace })).toEqual({
    inject: true,
    wishes: {
      isScraped: true,
      inboundPortExclusions: [80, 443],
      outboundPortExclusions: [],
      outboundIpRangeExclusions: ["1.2.3.0/24", "10.0.0.1/32"],
      outboundIpRangeInclusions: [],
    },
  });
});
