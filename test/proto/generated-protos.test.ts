import { describe, expect, test } from "vitest";
import { envoy as discovery } from "../../proto/gen/discovery.js";
import { envoy, google } from "../../proto/gen/envoy.js";

describe("generated protos", () => {
  test("a cluster survives encoding and decoding with nested, repeated, map, enum and Any fields", () => {
    const { Cluster } = envoy.config.cluster.v3;
    const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;
    const options = HttpProtocolOptions.encode({ explicitHttpConfig: { http2ProtocolOptions: {} } }).finish();
    const bytes = Cluster.encode({
      name: "default/bookstore|14001",
      type: Cluster.DiscoveryType.EDS,
      connectTimeout: { seconds: 5 },
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          type_url: "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          value: options,
        },
      },
    }).finish();

    const cluster = Cluster.decode(bytes);

    expect(cluster.name).toBe("default/bookstore|14001");
    expect(cluster.type).toBe(Cluster.DiscoveryType.EDS);
    expect(Number(cluster.connectTimeout?.seconds)).toBe(5);
    const any = Object.values(cluster.typedExtensionProtocolOptions)[0];
    expect(
      HttpProtocolOptions.decode(any?.value ?? new Uint8Array()).explicitHttpConfig?.http2ProtocolOptions,
    ).toBeTruthy();
  });

  test("64-bit numbers keep their value, and a bigint does not compile", () => {
    const { Duration } = google.protobuf;
    // @ts-expect-error protobufjs would write 0 for a bigint
    Duration.encode({ seconds: 5n });
    expect(Number(Duration.decode(Duration.encode({ seconds: 2 ** 40 }).finish()).seconds)).toBe(2 ** 40);
  });

  test("the main thread's small module reads what the full one wrote", () => {
    const written = envoy.service.discovery.v3.DeltaDiscoveryRequest.encode({
      node: { id: "proxy" },
      typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      initialResourceVersions: { a: "1" },
      errorDetail: { code: 13, message: "refused" },
    }).finish();
    const read = discovery.service.discovery.v3.DeltaDiscoveryRequest.decode(written);
    expect(read.node?.id).toBe("proxy");
    expect(read.initialResourceVersions).toEqual({ a: "1" });
    expect(read.errorDetail?.message).toBe("refused");
  });
});
