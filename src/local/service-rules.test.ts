import { expect, test } from "vitest";
import { allocateClusterIps } from "./cluster-ips.ts";
import { namedServices, readyEndpoints, routedServices } from "./service-endpoints.ts";
import { serviceRules } from "./service-rules.ts";
import { readService } from "./services.ts";

function service(name: string, spec: object) {
  const found = readService({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" }, spec });
  if (found === undefined) throw new Error("the service is misshapen");
  return found;
}

const hand = {
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { name: "outside", namespace: "shop" },
  subsets: [{ addresses: [{ ip: "10.244.0.9" }, { ip: "10.244.0.10" }], ports: [{ port: 5432 }] }],
};
const slice = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  ports: [{ name: "http", port: 8080 }],
  endpoints: [
    { addresses: ["10.244.0.2"], conditions: { ready: true }, hostname: "web-0" },
    { addresses: ["10.244.0.3"], conditions: { ready: false } },
  ],
};
const services = [
  service("web", { clusterIP: "172.20.0.1", ports: [{ name: "http", port: 80, targetPort: "http" }] }),
  service("outside", { ports: [{ port: 5432 }] }),
  service("empty", { clusterIP: "10.96.7.7", ports: [{ port: 80 }] }),
  service("heads", { clusterIP: "None", ports: [{ port: 80 }] }),
];
const clusterIps = allocateClusterIps(services, new Map());

test("a connection to a cluster IP reaches a ready endpoint on its target port, each with the same chance", () => {
  const rules = serviceRules(routedServices(services, clusterIps, readyEndpoints([hand, slice]))).split("\n");
  expect(rules.filter((rule) => rule.includes("172.20.0.1"))).toEqual([
    expect.stringMatching(/^-A SERVICES -d 172\.20\.0\.1\/32 -p tcp -m tcp --dport 80 -j SVC-/),
  ]);
  expect(rules.filter((rule) => rule.includes("DNAT")).map((rule) => rule.split(" ").at(-1))).toEqual([
    "10.244.0.2:8080",
    "10.244.0.9:5432",
    "10.244.0.10:5432",
  ]);
  expect(rules.filter((rule) => rule.includes("statistic")).map((rule) => rule.split(" ").at(-3))).toEqual([
    "0.5000000000",
  ]);
});

test("a service without ready endpoints has no rule, so that the hub refuses at once", () => {
  const rules = serviceRules(routedServices(services, clusterIps, readyEndpoints([])));
  expect(rules).not.toContain("10.96.7.7");
  expect(rules).not.toContain("DNAT");
});

test("misshapen endpoints of one object do not disturb those of another", () => {
  const broken = { ...slice, endpoints: [{ addresses: "no list" }, null], ports: "none" };
  const endpoints = readyEndpoints([broken, hand, slice]);
  expect(endpoints.get("shop/web")?.map(({ address }) => address)).toEqual(["10.244.0.2"]);
});

test("names follow the kind of service: cluster IP, or ready pods with their host names", () => {
  const names = namedServices(services, clusterIps, readyEndpoints([slice]));
  expect(names.map(({ name, clusterIp }) => [name, clusterIp !== undefined])).toEqual([
    ["web", true],
    ["outside", true],
    ["empty", true],
    ["heads", false],
  ]);
  expect(names[0]?.endpoints).toMatchObject([{ address: "10.244.0.2", hostname: "web-0" }]);
});

test("what no packet can be sent to is left out, and costs no other Service its rules", () => {
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name: "db", namespace: "shop" },
    subsets: [
      { addresses: [{ ip: "2001:db8::1" }, { ip: "10.9.9.9 -j ACCEPT" }], ports: [{ port: 5432 }] },
      { addresses: [{ ip: "10.1.1.1" }], ports: [{ port: 99_999 }] },
      { addresses: [{ ip: "10.1.1.2" }], ports: [{ port: 5432 }] },
    ],
  };
  const db = service("db", { clusterIP: "10.96.1.1", ports: [{ port: 5432 }] });
  const routed = routedServices([db], allocateClusterIps([db], new Map()), readyEndpoints([endpoints]));
  expect(routed[0]?.ports[0]?.endpoints).toEqual([{ address: "10.1.1.2", port: 5432 }]);
});

test("a Service with a protocol that no packet has gets no rules", () => {
  const spec = { ports: [{ port: 80, protocol: "TCP --dport 1 -j ACCEPT" }] };
  expect(readService({ apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec })).toBeUndefined();
});
