import { describe, expect, test } from "vitest";
import { type BootstrapInput, bootstrapFiles } from "./bootstrap.ts";

const input: BootstrapInput = {
  nodeId: "11111111-2222-3333-4444-555555555555",
  cluster: "bookbuyer.bookbuyer",
  xds: { host: "osm-controller.osm-system.svc.cluster.local", port: 15128, isIp: false },
  controllerSan: "osm-controller.osm-system.svc.cluster.local",
  tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] },
  caPem: "ca",
  certificatePem: "certificate",
  privateKeyPem: "key",
};

interface Listener {
  readonly name: string;
  readonly listener_filters?: readonly unknown[];
  readonly filter_chains: readonly { readonly filter_chain_match?: unknown }[];
}
interface Bootstrap {
  readonly admin: { readonly address: { readonly socket_address: { address: string; port_value: number } } };
  readonly static_resources: {
    readonly listeners: readonly Listener[];
    readonly clusters: readonly { readonly name: string; readonly type: string }[];
  };
}

function bootstrapOf(changes: Partial<BootstrapInput>): Bootstrap {
  return JSON.parse(bootstrapFiles({ ...input, ...changes })["bootstrap.yaml"]) as Bootstrap;
}

describe("bootstrapFiles", () => {
  test("the files are the keys of OSM's bootstrap secret, and only the key file holds the key", () => {
    const files = bootstrapFiles({ ...input, privateKeyPem: "PRIVATE" });
    expect(Object.keys(files).sort()).toEqual([
      "bootstrap.yaml",
      "cacert.pem",
      "sds_cert.pem",
      "sds_key.pem",
      "tls_certificate_sds_secret.yaml",
      "validation_context_sds_secret.yaml",
    ]);
    const holders = Object.entries(files).filter(([, content]) => content.includes("PRIVATE"));
    expect(holders.map(([name]) => name)).toEqual(["sds_key.pem"]);
  });

  test("another certificate of the mesh cannot pose as the control plane", () => {
    const secret = JSON.parse(bootstrapFiles(input)["validation_context_sds_secret.yaml"]);
    expect(secret.resources[0].validation_context.match_typed_subject_alt_names).toEqual([
      { san_type: "DNS", matcher: { exact: input.controllerSan } },
    ]);
  });

  test("all paths follow the folder that the proxy will see", () => {
    const text = Object.values(bootstrapFiles({ ...input, directory: "/srv/proxy" })).join("");
    expect(text).toContain('"/srv/proxy/sds_key.pem"');
    expect(text).not.toContain("/etc/envoy");
  });

  test("the admin interface answers the pod alone", () => {
    expect(bootstrapOf({}).admin.address.socket_address).toEqual({ address: "127.0.0.1", port_value: 15000 });
  });

  test("a control plane with an address needs no DNS", () => {
    const typeOf = (bootstrap: Bootstrap) => bootstrap.static_resources.clusters[0]?.type;
    expect(typeOf(bootstrapOf({}))).toBe("LOGICAL_DNS");
    expect(typeOf(bootstrapOf({ xds: { host: "127.0.0.1", port: 1, isIp: true } }))).toBe("STATIC");
  });

  test("a probe is passed on with its own path and time limit, and a listener is there only for kinds in use", () => {
    const { listeners, clusters } = bootstrapOf({
      probes: {
        liveness: [
          { scheme: "HTTP", container: "app", path: "/alive?v=1", port: 8080, timeoutSeconds: 3 },
          { scheme: "HTTP", container: "app-2", path: "/", port: 8081, timeoutSeconds: 1 },
        ],
        readiness: [],
      },
    }).static_resources;
    expect(listeners.map(({ name }) => name)).toEqual(["liveness_listener"]);
    expect(listeners[0]?.listener_filters).toBeUndefined();
    const text = JSON.stringify(listeners);
    expect(text).toContain('{"match":{"path":"/osm-liveness-probe/app"}');
    expect(text).toContain('"prefix_rewrite":"/alive?v=1","timeout":"3s"');
    expect(clusters.map(({ name }) => name)).toEqual([
      "osm-controller",
      "app_liveness_cluster",
      "app-2_liveness_cluster",
    ]);
  });

  test("an HTTPS probe and an HTTP probe share a listener that tells them apart", () => {
    const [listener] = bootstrapOf({
      probes: {
        startup: [
          { scheme: "HTTPS", container: "web", port: 8443 },
          { scheme: "HTTP", container: "app", path: "/", port: 8080, timeoutSeconds: 1 },
        ],
      },
    }).static_resources.listeners;
    expect(listener?.listener_filters).toHaveLength(1);
    expect(listener?.filter_chains.map((chain) => chain.filter_chain_match)).toEqual([
      { transport_protocol: "tls" },
      undefined,
    ]);
  });
});
