import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BootstrapInput, bootstrapFiles } from "../../src/envoy/bootstrap.ts";
import { RESOURCE_TYPE_URLS } from "../../src/envoy/mod.ts";
import { type GoldenCase, goldenCases } from "../golden/cases.ts";
import { describeWithEnvoy, envoyBinary } from "./binary.ts";

type Json = Record<string, JsonValue>;

const input: BootstrapInput = {
  nodeId: "f1a5a9e0-0c5e-4c53-9e0e-3a5c1b0e7d10",
  cluster: "bookstore-v1.bookstore",
  xds: { host: "osm-controller.osm-system.svc.cluster.local", port: 15128, isIp: false },
  controllerSan: "osm-controller.osm-system.svc.cluster.local",
  tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] },
  caPem: "",
  certificatePem: "",
  privateKeyPem: "",
  probes: {
    liveness: [
      { scheme: "HTTP", container: "app", path: "/alive?verbose=1", port: 8080, timeoutSeconds: 3 },
      { scheme: "HTTP", container: "app-2", path: "/", port: 8081, timeoutSeconds: 1 },
      { scheme: "HTTPS", container: "admin", port: 8443 },
    ],
    readiness: [{ scheme: "HTTPS", container: "admin", port: 8443 }],
    startup: [{ scheme: "HTTP", container: "app", path: "/started", port: 8080, timeoutSeconds: 1 }],
  },
};

/** Puts one generated resource where a static bootstrap can hold its like. */
function asStatic({ name, resource, decoded }: GoldenCase): { listeners?: Json; clusters?: Json } {
  switch (resource.typeUrl) {
    case RESOURCE_TYPE_URLS.listener:
      return { listeners: { ...decoded, name } };
    case RESOURCE_TYPE_URLS.cluster:
      return { clusters: { ...decoded, name } };
    case RESOURCE_TYPE_URLS.endpoints:
      return { clusters: { name, type: "STATIC", load_assignment: decoded } };
    case RESOURCE_TYPE_URLS.route:
      return { listeners: { ...routeListener(decoded), name } };
  }
}

function routeListener(routeConfig: Json): Json {
  const type = "type.googleapis.com/envoy.extensions.filters";
  const manager = {
    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "validated",
    route_config: routeConfig,
    http_filters: [
      { name: "envoy.filters.http.rbac", typed_config: { "@type": `${type}.http.rbac.v3.RBAC` } },
      { name: "envoy.filters.http.router", typed_config: { "@type": `${type}.http.router.v3.Router` } },
    ],
  };
  return {
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
  };
}

describeWithEnvoy("Envoy accepts", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osm-goldens-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function validate(resources: readonly { listeners?: Json; clusters?: Json }[]): string {
    const files = bootstrapFiles({ ...input, directory: folder });
    const bootstrap = JSON.parse(files["bootstrap.yaml"]) as {
      static_resources: { listeners: Json[]; clusters: Json[] };
    };
    for (const { listeners, clusters } of resources) {
      if (listeners) bootstrap.static_resources.listeners.push(listeners);
      if (clusters) bootstrap.static_resources.clusters.push(clusters);
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 });
    writeFileSync(join(folder, "bootstrap.yaml"), JSON.stringify(bootstrap));
    const args = ["--mode", "validate", "--log-level", "error", "-c", join(folder, "bootstrap.yaml")];
    return execFileSync(envoyBinary ?? "", args, { encoding: "utf8", stdio: "pipe" });
  }

  test("a bootstrap with every kind of probe", () => {
    expect(validate([])).toContain("OK");
  });

  // One by one, so that a failure names its case; the binary takes a tenth of a second.
  test.each(goldenCases())("the golden resource $name", (golden) => {
    expect(validate([asStatic(golden)])).toContain("OK");
  });
});
