import { describe, expect, test } from "vitest";
import { KNOWN_KINDS, roleOf, splitApiVersion } from "./kinds.ts";
import type { Translated } from "./object-names.ts";

const API_VERSIONS: Readonly<Record<string, string>> = Object.fromEntries(
  KNOWN_KINDS.map(({ kind, group, versions }) => [kind, `${group === "" ? "" : `${group}/`}${versions.at(-1)}`]),
);

/** Translates an object of `kind`; `content` may replace anything. */
function translate(kind: string, content: object, metadata: object = {}): Translated {
  const known = KNOWN_KINDS.find((candidate) => candidate.kind === kind);
  const apiVersion = API_VERSIONS[kind] ?? "";
  const object = { apiVersion, kind, metadata: { name: "web", namespace: "shop", ...metadata }, ...content };
  expect(splitApiVersion(apiVersion).group).toBe(known?.group);
  return known?.translate(object, { file: "a.yaml", line: 3 }, "osm-system") ?? { rejections: [] };
}

/** `reason field` of every rejection; throws away nothing that a user would need. */
function findings({ record, rejections }: Translated): readonly string[] {
  for (const rejection of rejections) expect(rejection).toMatchObject({ file: "a.yaml", line: 3, namespace: "shop" });
  const isRejected = rejections.some(({ strength }) => strength === "object");
  expect(record === undefined).toBe(isRejected);
  return rejections.map(({ reason, field }) => `${reason} ${field}`);
}

const split = (spec: object) => translate("TrafficSplit", { spec });
const group = (match: object) => translate("HTTPRouteGroup", { spec: { matches: [{ name: "m", ...match }] } });
const target = (spec: object) =>
  translate("TrafficTarget", {
    spec: {
      destination: { kind: "ServiceAccount", name: "web", namespace: "shop" },
      sources: [{ kind: "ServiceAccount", name: "buyer", namespace: "shop" }],
      rules: [{ kind: "HTTPRouteGroup", name: "r", matches: ["m"] }],
      ...spec,
    },
  });
const ports = (...list: readonly object[]) => translate("Service", { spec: { ports: list } });

describe("what an API server would refuse is rejected alone, with its field", () => {
  const account = { kind: "ServiceAccount", name: "a", namespace: "shop" };
  const cases: readonly [string, Translated, readonly string[]][] = [
    ["a split without backends", split({ service: "web", backends: [] }), ["weights-zero spec.backends"]],
    ["a split without a service", split({ backends: [{ service: "a", weight: 1 }] }), ["field-required spec.service"]],
    [
      "weights that add up to nothing",
      split({ service: "web", backends: [{ service: "a", weight: 0 }] }),
      ["weights-zero spec.backends"],
    ],
    [
      "a weight in words",
      split({ service: "web", backends: [{ service: "a", weight: "50" }] }),
      ["field-type spec.backends[0].weight"],
    ],
    [
      "a fractional weight",
      split({ service: "web", backends: [{ service: "a", weight: 0.5 }] }),
      ["weight-invalid spec.backends[0].weight"],
    ],
    [
      "a negative weight",
      split({ service: "web", backends: [{ service: "a", weight: -1 }] }),
      ["weight-invalid spec.backends[0].weight"],
    ],
    [
      "more weight than Envoy can add up",
      split({ service: "web", backends: [{ service: "a", weight: 2 ** 32 }] }),
      ["weight-invalid spec.backends"],
    ],
    [
      "a split by route",
      split({ service: "web", matches: [], backends: [{ service: "a", weight: 1 }] }),
      ["split-matches-unsupported spec.matches"],
    ],
    ["a regex with look-ahead", group({ pathRegex: "/(?=a)" }), ["regex-invalid spec.matches[0].pathRegex"]],
    ["a regex that blows up", group({ pathRegex: "(a{100}){10}" }), ["regex-invalid spec.matches[0].pathRegex"]],
    [
      "a regex with a class that Envoy lacks",
      group({ pathRegex: "\\p{Emoji}" }),
      ["regex-invalid spec.matches[0].pathRegex"],
    ],
    [
      "a regex with a code point past a byte",
      group({ pathRegex: "\\x{100}" }),
      ["regex-invalid spec.matches[0].pathRegex"],
    ],
    ["a regex with half a character", group({ pathRegex: "\ud800" }), ["regex-invalid spec.matches[0].pathRegex"]],
    ["a method of one's own", group({ methods: ["FETCH"] }), ["field-enum spec.matches[0].methods[0]"]],
    ["headers as the SMI text prints them", group({ headers: { a: "b" } }), ["field-type spec.matches[0].headers"]],
    [
      "two headers in one list item",
      group({ headers: [{ a: "b", c: "d" }] }),
      ["header-keys spec.matches[0].headers[0]"],
    ],
    ["a header with a number", group({ headers: [{ a: 1 }] }), ["field-type spec.matches[0].headers[0].a"]],
    ["a header with a bad regex", group({ headers: [{ a: "[" }] }), ["regex-invalid spec.matches[0].headers[0].a"]],
    [
      "a header name with a blank",
      group({ headers: [{ "a b": "c" }] }),
      ["header-name-invalid spec.matches[0].headers[0]"],
    ],
    ["a route group without matches", translate("HTTPRouteGroup", { spec: {} }), ["field-required spec.matches"]],
    ["a match without a name", group({ name: null }), ["field-required spec.matches[0].name"]],
    ["a target without rules", target({ rules: [] }), ["rules-empty spec.rules"]],
    ["a UDPRoute", target({ rules: [{ kind: "UDPRoute", name: "u" }] }), ["rule-kind-unsupported spec.rules[0].kind"]],
    [
      "a route kind of one's own",
      target({ rules: [{ kind: "GRPCRoute", name: "u" }] }),
      ["field-enum spec.rules[0].kind"],
    ],
    ["a target without sources", target({ sources: null }), ["field-required spec.sources"]],
    [
      "a group as source",
      target({ sources: [{ ...account, kind: "Group" }] }),
      ["identity-kind-unsupported spec.sources[0].kind"],
    ],
    [
      "a service account with a dot",
      target({ destination: { ...account, name: "a.b" } }),
      ["service-account-dotted spec.destination.name"],
    ],
    [
      "a pod that runs as a service account with a dot",
      translate("Pod", { spec: { serviceAccountName: "a.b" } }),
      ["service-account-dotted spec.serviceAccountName"],
    ],
    [
      "a service account with a dot itself",
      translate("ServiceAccount", {}, { name: "a.b" }),
      ["service-account-dotted metadata.name"],
    ],
    [
      "a TCP port beyond 65535",
      translate("TCPRoute", { spec: { matches: { ports: [70000] } } }),
      ["port-out-of-range spec.matches.ports[0]"],
    ],
    [
      "a TCPRoute without ports",
      translate("TCPRoute", { spec: { matches: {} } }),
      ["field-required spec.matches.ports"],
    ],
    ["a service port 0", ports({ port: 0 }), ["port-out-of-range spec.ports[0].port"]],
    ["several ports without names", ports({ port: 1, name: "a" }, { port: 2 }), ["field-required spec.ports[1].name"]],
    [
      "a port that is there twice",
      ports({ port: 1, name: "a" }, { port: 1, name: "b" }),
      ["port-duplicate spec.ports[1]"],
    ],
    ["a label that YAML made a number", translate("Pod", {}, { labels: { v: 1 } }), ["field-type metadata.labels.v"]],
    [
      "a name that could end up in Envoy's names",
      translate("Pod", {}, { name: "a|b" }),
      ["name-invalid metadata.name"],
    ],
    [
      "an endpoint that is no address",
      translate(
        "EndpointSlice",
        { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.256"] }] },
        { labels: { "kubernetes.io/service-name": "web" } },
      ),
      ["address-invalid endpoints[0].addresses"],
    ],
    [
      "a slice of no service",
      translate("EndpointSlice", { addressType: "IPv4", endpoints: [] }),
      ["field-required metadata.labels"],
    ],
  ];
  test.each(cases)("%s", (_name, translated, expected) => {
    expect(findings(translated)).toEqual(expected);
  });
});

describe("what has no effect leaves the rest of its object standing", () => {
  test("a source without a namespace names nobody, the other sources stand", () => {
    const translated = target({
      sources: [
        { kind: "ServiceAccount", name: "a" },
        { kind: "ServiceAccount", name: "b", namespace: "shop" },
      ],
    });
    expect(findings(translated)).toEqual(["source-namespace-missing spec.sources[0].namespace"]);
    expect(translated.record).toMatchObject({ sources: [{ namespace: "shop", name: "b" }] });
  });

  test("an unknown appProtocol closes its own port only", () => {
    const translated = ports({ port: 1, name: "a", appProtocol: "https" }, { port: 2, name: "b" });
    expect(findings(translated)).toEqual(["app-protocol-unknown spec.ports[0].appProtocol"]);
    expect(translated.record).toMatchObject({ ports: [{ port: 1 }, { port: 2, protocol: "http" }] });
  });
});

describe("what is accepted means what it means to OSM", () => {
  test("a port's protocol: appProtocol, else the prefix of its name, else http; none but TCP", () => {
    const protocolOf = (port: object) => {
      const { record } = ports({ port: 1, ...port });
      return record?.kind === "Service" ? record.ports[0]?.protocol : "rejected";
    };
    expect(protocolOf({})).toBe("http");
    expect(protocolOf({ name: "grpc" })).toBe("http");
    expect(protocolOf({ name: "grpc-api" })).toBe("grpc");
    expect(protocolOf({ name: "tcp-server-first-db" })).toBe("tcp-server-first");
    expect(protocolOf({ name: "http-api", appProtocol: "tcp" })).toBe("tcp");
    expect(protocolOf({ protocol: "UDP" })).toBeUndefined();
  });

  test("a headless service, target ports by name and by number", () => {
    const spec = { clusterIP: "None", selector: { app: "db" }, ports: [{ port: 80, targetPort: "web" }] };
    expect(translate("Service", { spec }).record).toMatchObject({
      isHeadless: true,
      clusterIps: [],
      selector: { app: "db" },
      ports: [{ name: "", port: 80, targetPort: "web" }],
    });
    expect(ports({ port: 80 }).record).toMatchObject({ isHeadless: false, ports: [{ targetPort: 80 }] });
  });

  test("a match without path or methods is any path and any method; header names are lower case", () => {
    expect(group({ headers: [{ "Client-App": "a.*" }, { host: "b" }] }).record).toMatchObject({
      matches: [
        {
          pathRegex: ".*",
          methods: ["*"],
          headers: [
            { name: "client-app", regex: "a.*" },
            { name: "host", regex: "b" },
          ],
        },
      ],
    });
  });

  test("a pod's identity, addresses, sidecar and state", () => {
    const status = { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "FD00:0::1" }], phase: "Running" };
    const spec = {
      containers: [
        {
          ports: [
            { name: "web", containerPort: 80 },
            { containerPort: 53, protocol: "UDP" },
          ],
        },
      ],
    };
    const labels = { "osm-proxy-uuid": "3b1f" };
    expect(translate("Pod", { spec, status }, { labels }).record).toMatchObject({
      serviceAccount: "default",
      addresses: ["10.0.0.1", "fd00::1"],
      proxyUuid: "3b1f",
      isTerminated: false,
      ports: [{ name: "web", port: 80 }],
    });
    expect(translate("Pod", { status: { phase: "Succeeded" } }).record).toMatchObject({ isTerminated: true });
  });

  test("a host name that is none is reported and has no effect; the endpoint stays", () => {
    const endpoints = ["web-0", "Web-0", "*", "a.b"].map((hostname, position) => ({
      addresses: [`10.0.0.${position}`],
      hostname,
    }));
    const labels = { "kubernetes.io/service-name": "web" };
    const { record, rejections } = translate("EndpointSlice", { addressType: "IPv4", endpoints }, { labels });
    expect(record).toMatchObject({
      subsets: [{ endpoints: [{ hostname: "web-0" }, {}, {}, { addresses: ["10.0.0.3"] }] }],
    });
    expect(rejections.map(({ reason, strength }) => `${reason} ${strength}`)).toEqual(
      Array(3).fill("name-invalid part"),
    );
  });

  test("an endpoint of unknown readiness is ready, and its pod is known by targetRef", () => {
    const endpoints = [
      { addresses: ["10.0.0.1"], targetRef: { kind: "Pod", name: "web-0" }, hostname: "web-0" },
      {
        addresses: ["10.0.0.2"],
        conditions: { ready: false },
        targetRef: { kind: "Pod", name: "x", namespace: "other" },
      },
    ];
    const metadata = { labels: { "kubernetes.io/service-name": "web" } };
    const slice = { addressType: "IPv4", ports: [{ port: 80 }, { port: 53, protocol: "UDP" }], endpoints };
    expect(translate("EndpointSlice", slice, metadata).record).toMatchObject({
      service: "web",
      subsets: [
        {
          ports: [{ name: "", port: 80 }],
          endpoints: [
            { addresses: ["10.0.0.1"], isReady: true, pod: "web-0", hostname: "web-0" },
            { addresses: ["10.0.0.2"], isReady: false },
          ],
        },
      ],
    });
  });

  test("hand-written Endpoints keep addresses that are not ready apart", () => {
    const subsets = [{ addresses: [{ ip: "1.2.3.4" }], notReadyAddresses: [{ ip: "1.2.3.5" }], ports: [{ port: 1 }] }];
    expect(translate("Endpoints", { subsets }).record).toMatchObject({
      service: "web",
      subsets: [{ endpoints: [{ isReady: true }, { isReady: false }] }],
    });
  });
});

test("an object of any other group is passed over, whatever that is called", () => {
  expect(roleOf("apps", "Deployment")).toBe("workload");
  for (const group of ["example.org", "constructor", "__proto__"]) expect(roleOf(group, "Deployment")).toBe("ignored");
});
