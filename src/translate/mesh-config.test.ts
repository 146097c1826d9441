import { describe, expect, test } from "vitest";
import { parseGoDuration } from "./go-duration.ts";
import { translateMeshConfig } from "./mesh-config.ts";

function translate(spec: unknown, { version = "v1alpha2", name = "osm-mesh-config", namespace = "osm-system" } = {}) {
  const apiVersion = `config.openservicemesh.io/${version}`;
  return translateMeshConfig(
    { apiVersion, kind: "MeshConfig", metadata: { name, namespace }, spec },
    undefined,
    "osm-system",
  );
}
const settingsOf = (spec: unknown, where?: object) => translate(spec, where).record?.settings;
const reasonsOf = (spec: unknown) => translate(spec).rejections.map(({ reason, field }) => `${reason} ${field}`);
const certificate = { serviceCertValidityDuration: "1h", certKeyBitSize: 3072 };

describe("MeshConfig", () => {
  test("missing fields take the schema's defaults: not permissive, no egress", () => {
    expect(settingsOf({})).toMatchObject({
      isPermissive: false,
      isEgressEnabled: false,
      tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3" },
      certificate: { keyAlgorithm: "ECDSA", serviceCertValiditySeconds: 86400 },
      inactiveFields: [],
    });
  });

  test("another name or namespace has no effect", () => {
    for (const where of [{ name: "other" }, { namespace: "shop" }]) {
      expect(translate({}, where)).toMatchObject({ rejections: [{ reason: "mesh-config-name", strength: "object" }] });
      expect(translate({}, where).record).toBeUndefined();
    }
  });

  test("v1alpha1 is read; fields that it does not have are listed and have no effect", () => {
    const spec = { sidecar: { tlsMaxProtocolVersion: "TLSv1_2", logLevel: "debug" }, traffic: { enableEgress: true } };
    expect(settingsOf(spec, { version: "v1alpha1" })).toMatchObject({
      isEgressEnabled: true,
      tls: { maxVersion: "TLSv1_3" },
      sidecar: { logLevel: "debug" },
      inactiveFields: ["spec.sidecar.tlsMaxProtocolVersion"],
    });
  });

  test("fields that are not acted on, misspelt ones too, are listed", () => {
    const spec = {
      traffic: { enablePermisiveMode: true },
      featureFlags: { enableWASMStats: true },
      observability: { tracing: { enable: false } },
    };
    expect(settingsOf(spec)?.inactiveFields).toEqual([
      "spec.featureFlags.enableWASMStats",
      "spec.observability.tracing.enable",
      "spec.traffic.enablePermisiveMode",
    ]);
  });

  test("certKeyBitSize, which every MeshConfig carries, counts for RSA alone and is listed otherwise", () => {
    expect(settingsOf({ certificate })?.inactiveFields).toEqual(["spec.certificate.certKeyBitSize"]);
    const rsa = settingsOf({ certificate: { ...certificate, keyAlgorithm: "RSA" } });
    expect(rsa).toMatchObject({ certificate: { keyAlgorithm: "RSA", keyBits: 3072 }, inactiveFields: [] });
    expect(reasonsOf({ certificate: { serviceCertValidityDuration: "1h" } })).toEqual([
      "field-required spec.certificate.certKeyBitSize",
    ]);
  });

  test("what OSM replaces by a default is reported and the rest stands", () => {
    const spec = {
      traffic: { enableEgress: true },
      certificate: { serviceCertValidityDuration: "soon", certKeyBitSize: 512 },
      sidecar: { tlsMinProtocolVersion: "TLSv1_3", tlsMaxProtocolVersion: "TLSv1_2", cipherSuites: ["NULL"] },
      observability: { osmLogLevel: "loud" },
    };
    expect(reasonsOf(spec).sort()).toEqual([
      "duration-invalid spec.certificate.serviceCertValidityDuration",
      "field-enum spec.observability.osmLogLevel",
      "key-size-out-of-range spec.certificate.certKeyBitSize",
      "tls-parameter-unknown spec.sidecar.cipherSuites[0]",
      "tls-versions-inverted spec.sidecar.tlsMinProtocolVersion",
    ]);
    expect(settingsOf(spec)).toMatchObject({
      isEgressEnabled: true,
      logLevel: "info",
      tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [] },
      certificate: { keyBits: 2048, serviceCertValiditySeconds: 86400 },
    });
  });

  test("sidecar log level off is accepted, as a word and as YAML 1.1 reads it", () => {
    for (const logLevel of ["off", false]) expect(settingsOf({ sidecar: { logLevel } })?.sidecar.logLevel).toBe("off");
    expect(reasonsOf({ sidecar: { logLevel: "loud" } })).toEqual(["field-enum spec.sidecar.logLevel"]);
  });

  test("wrong types, ports and ranges are rejected with their field", () => {
    expect(
      reasonsOf({
        traffic: {
          enableEgress: "yes",
          outboundPortExclusionList: [0],
          outboundIPRangeExclusionList: ["10.0.0.0/8", "10.0.0.0/33"],
        },
      }),
    ).toEqual([
      "field-type spec.traffic.enableEgress",
      "field-pattern spec.traffic.outboundIPRangeExclusionList[1]",
      "port-out-of-range spec.traffic.outboundPortExclusionList[0]",
    ]);
  });

  test("durations are Go's", () => {
    expect(["24h", "1h30m", "1.5s", "0", "-2m", "500ms", ".5h"].map(parseGoDuration)).toEqual([
      86400, 5400, 1.5, 0, -120, 0.5, 1800,
    ]);
    expect(["", "24", "h", "1d", "1h ", "1h-2m", "99999999999h"].map(parseGoDuration)).toEqual(
      Array.from({ length: 7 }, () => undefined),
    );
  });
});
