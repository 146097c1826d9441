import { describe, expect, test } from "vitest";
import { envoy } from "../../../proto/gen/discovery.js";
import { DataFraming } from "../../http2/mod.ts";
import type { Response } from "../protocol/protocol.ts";
import { type Resource, TYPE_URLS } from "../resource.ts";
import { PREFIX_BYTES } from "../transport.ts";
import { decodeDeltaRequest, decodeSotwRequest, deltaResponseEncoder, encodeSotwResponse } from "./messages.ts";

const encodeDeltaResponse = deltaResponseEncoder();
const discovery = envoy.service.discovery.v3;

/** Sizes around those at which a length takes one byte more. */
const sizes = [0, 1, 20, 127, 128, 200, 16_383, 16_384, 3_000_000];

const resources: Resource[] = sizes.map((size) => ({
  typeUrl: TYPE_URLS.cluster,
  name: `größe/${size}`,
  version: `version-of-${size}`,
  bytes: new Uint8Array(size).fill(7),
}));

const response: Response = {
  typeUrl: TYPE_URLS.cluster,
  nonce: "12",
  serial: 12,
  version: "42",
  generation: 42,
  resources,
  removed: ["gone", "näme"],
  requiredResends: 0,
};

describe("messages", () => {
  test("what is kept for other streams keeps no more memory alive than its own bytes", () => {
    const small = { ...response, resources: [] };
    for (const message of [encodeDeltaResponse(small), encodeSotwResponse(small)]) {
      expect(message.buffer.byteLength).toBe(message.length);
      new DataFraming().write(message, 1, (framed) => expect(framed.buffer.byteLength).toBe(framed.length));
    }
  });

  test("another encoder reads from a delta response what was put in, at every size", () => {
    const read = discovery.DeltaDiscoveryResponse.decode(encodeDeltaResponse(response).subarray(PREFIX_BYTES));
    expect(read.systemVersionInfo).toBe("42");
    expect(read.typeUrl).toBe(TYPE_URLS.cluster);
    expect(read.nonce).toBe("12");
    expect(read.removedResources).toEqual(["gone", "näme"]);
    expect(read.resources.map(({ name, version }) => [name, version])).toEqual(
      resources.map(({ name, version }) => [name, version]),
    );
    for (const [position, { bytes }] of resources.entries()) {
      const any = read.resources[position]?.resource;
      expect(any?.type_url).toBe(TYPE_URLS.cluster);
      expect(Buffer.compare(Buffer.from(any?.value ?? []), bytes)).toBe(0);
    }
  });

  test("another encoder reads from a state-of-the-world response what was put in", () => {
    const read = discovery.DiscoveryResponse.decode(encodeSotwResponse(response).subarray(PREFIX_BYTES));
    expect([read.versionInfo, read.typeUrl, read.nonce]).toEqual(["42", TYPE_URLS.cluster, "12"]);
    expect(read.resources.map((any) => (any.value as Uint8Array).length)).toEqual(sizes);
  });

  test("a delta request is read whole, names that mean something to JavaScript included", () => {
    const claims = JSON.parse('{"__proto__": "1", "constructor": "2", "a": "3"}') as Record<string, string>;
    const request = decodeDeltaRequest(
      discovery.DeltaDiscoveryRequest.encode({
        node: { id: "proxy" },
        typeUrl: TYPE_URLS.cluster,
        responseNonce: "n",
        resourceNamesSubscribe: ["a"],
        resourceNamesUnsubscribe: ["b"],
        initialResourceVersions: claims,
        errorDetail: { code: 13, message: "" },
      }).finish(),
    );
    expect(request).toEqual({
      kind: "delta-request",
      typeUrl: TYPE_URLS.cluster,
      nodeId: "proxy",
      nonce: "n",
      subscribe: ["a"],
      unsubscribe: ["b"],
      initialVersions: new Map([
        ["__proto__", "1"],
        ["constructor", "2"],
        ["a", "3"],
      ]),
      error: "",
    });
  });

  test("a request without an error is no refusal", () => {
    const delta = decodeDeltaRequest(discovery.DeltaDiscoveryRequest.encode({ typeUrl: "t" }).finish());
    const sotw = decodeSotwRequest(
      discovery.DiscoveryRequest.encode({ versionInfo: "7", resourceNames: ["a"] }).finish(),
    );
    expect([delta.error, delta.nodeId, sotw.error, sotw.version, sotw.names]).toEqual([
      undefined,
      "",
      undefined,
      "7",
      ["a"],
    ]);
  });

  test("bytes that are no request are an error", () => {
    expect(() => decodeDeltaRequest(Buffer.from([0xff, 0xff, 0xff]))).toThrow();
  });
});
