import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import { LOG_LEVELS } from "../lib/mod.ts";
import { DEFAULT_SETTINGS, MESH_CONFIG_NAME, type MeshConfigRecord, type MeshSettings } from "../mesh/mod.ts";
import {
  checkObject,
  type Field,
  member,
  memberAt,
  readBoolean,
  readInteger,
  readList,
  readOneOf,
  readPort,
  readString,
  readStrings,
  reject,
  rejectPart,
  requireString,
  shown,
} from "./field.ts";
import { parseGoDuration } from "./go-duration.ts";
import { isIpv4Range } from "./ip-address.ts";
import { inactiveFields } from "./mesh-config-fields.ts";
import { type Translated, translateWith } from "./object-names.ts";
import { readTlsSettings } from "./tls-settings.ts";

const ENVOY_LOG_LEVELS = ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"] as const;
/** RSA sizes outside of this are replaced by 2048 (OSM v1.2.4 `GetCertKeyBitSize`). */
const KEY_BITS = { min: 2048, max: 4096, fallback: 2048 };
/** Twice the shortest time before expiry at which OSM renews. */
const VALIDITY_MIN_SECONDS = 600;

/**
 * MeshConfig (config.openservicemesh.io v1alpha2 and v1alpha1, which lacks some fields; their effect is the same). Fields
 * that are missing take the schema's defaults, not the chart's. Only the object of the well-known name in the
 * mesh's own namespace counts.
 */
export function translateMeshConfig(
  object: KubeObject,
  origin: ObjectOrigin | undefined,
  osmNamespace: string,
): Translated<MeshConfigRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    if (name !== MESH_CONFIG_NAME || namespace !== osmNamespace) {
      const message = `The mesh is configured by ${MESH_CONFIG_NAME} in namespace ${osmNamespace} alone: rename this object or remove it.`;
      reject(memberAt(root, "metadata", "name"), "mesh-config-name", message);
    }
    const spec = member(root, "spec");
    checkObject(spec);
    const isOld = object.apiVersion.endsWith("/v1alpha1");
    return { kind: "MeshConfig", ref, createdAt, namespace, name, settings: readSettings(spec, isOld) };
  });
}

function readSettings(spec: Field, isOld: boolean): MeshSettings {
  const traffic = section(spec, "traffic");
  const observability = section(spec, "observability");
  const sidecar = section(spec, "sidecar");
  // v1alpha1's schema prunes what came with v1alpha2.
  const absent: Field = { value: undefined, path: "spec", problems: spec.problems };
  const newSidecar = isOld ? absent : sidecar;
  const newTraffic = isOld ? absent : traffic;
  checkFieldsWithoutEffect(spec);
  const certificate = readCertificate(section(spec, "certificate"));
  return {
    isPermissive: readBoolean(member(traffic, "enablePermissiveTrafficPolicyMode")) ?? false,
    isEgressEnabled: readBoolean(member(traffic, "enableEgress")) ?? false,
    tls: readTlsSettings(newSidecar),
    logLevel: readLogLevel(member(observability, "osmLogLevel")),
    sidecar: readSidecar(sidecar, newSidecar),
    interception: {
      outboundIpRangeExclusions: readIpRanges(member(traffic, "outboundIPRangeExclusionList")),
      outboundIpRangeInclusions: readIpRanges(member(newTraffic, "outboundIPRangeInclusionList")),
      outboundPortExclusions: readPorts(member(traffic, "outboundPortExclusionList")),
      inboundPortExclusions: readPorts(member(traffic, "inboundPortExclusionList")),
      networkInterfaceExclusions: readStrings(member(newTraffic, "networkInterfaceExclusionList")),
    },
    certificate,
    inactiveFields: inactiveFields(spec, { isOld, keyAlgorithm: certificate.keyAlgorithm }),
  };
}

function section(spec: Field, name: string): Field {
  const field = member(spec, name);
  checkObject(field);
  return field;
}

function readSidecar(sidecar: Field, newSidecar: Field): MeshSettings["sidecar"] {
  const defaults = DEFAULT_SETTINGS.sidecar;
  const image = (name: string) => readString(member(sidecar, name)) || undefined;
  image("envoyWindowsImage");
  const resources = member(sidecar, "resources");
  checkObject(resources);
  checkObject(member(resources, "limits"));
  checkObject(member(resources, "requests"));
  return {
    enablePrivilegedInitContainer: readBoolean(member(sidecar, "enablePrivilegedInitContainer")) ?? false,
    logLevel: readEnvoyLogLevel(member(sidecar, "logLevel")),
    envoyImage: image("envoyImage") ?? defaults.envoyImage,
    initContainerImage: image("initContainerImage") ?? defaults.initContainerImage,
    maxDataPlaneConnections: Math.max(0, readInteger(member(sidecar, "maxDataPlaneConnections")) ?? 0),
    ...(resources.value === undefined ? {} : { resources: resources.value }),
    localProxyMode: readOneOf(member(newSidecar, "localProxyMode"), ["Localhost", "PodIP"]) ?? defaults.localProxyMode,
  };
}

/** YAML 1.1 reads an unquoted `off` as false. */
function readEnvoyLogLevel(field: Field): string {
  if (field.value === false) return "off";
  return readOneOf(field, ENVOY_LOG_LEVELS) ?? DEFAULT_SETTINGS.sidecar.logLevel;
}

/** The schema takes any text; OSM keeps `info` when it does not know it. */
function readLogLevel(field: Field): string {
  const level = readString(field) || "info";
  if (LOG_LEVELS.some((known) => known === level)) return level;
  rejectPart(
    field,
    "field-enum",
    `${field.path} is ${shown(level)}, so info is used: use one of ${LOG_LEVELS.join(", ")}.`,
  );
  return "info";
}

function readIpRanges(list: Field): readonly string[] {
  return readList(list).flatMap((item) => {
    const range = requireString(item);
    if (isIpv4Range(range)) return [range];
    if (typeof item.value === "string") {
      reject(item, "field-pattern", `${item.path} is ${shown(range)}: write an IPv4 range such as 10.0.0.0/8.`);
    }
    return [];
  });
}

function readPorts(list: Field): readonly number[] {
  return readList(list).flatMap((item) => readPort(item, true) ?? []);
}

function readCertificate(certificate: Field): MeshSettings["certificate"] {
  const defaults = DEFAULT_SETTINGS.certificate;
  if (certificate.value === undefined) return defaults;
  const validity = member(certificate, "serviceCertValidityDuration");
  requireString(validity);
  return {
    keyAlgorithm: readOneOf(member(certificate, "keyAlgorithm"), ["ECDSA", "RSA"]) ?? defaults.keyAlgorithm,
    keyBits: readKeyBits(member(certificate, "certKeyBitSize")),
    serviceCertValiditySeconds: Math.max(
      VALIDITY_MIN_SECONDS,
      readDuration(validity, "24h") ?? defaults.serviceCertValiditySeconds,
    ),
  };
}

function readKeyBits(field: Field): number {
  const bits = readInteger(field, true) ?? KEY_BITS.fallback;
  if (bits >= KEY_BITS.min && bits <= KEY_BITS.max) return bits;
  const message = `${field.path} is ${bits}, so ${KEY_BITS.fallback} is used: write ${KEY_BITS.min} to ${KEY_BITS.max}.`;
  rejectPart(field, "key-size-out-of-range", message);
  return KEY_BITS.fallback;
}

/** Seconds; a text that is no duration has no effect, as in OSM v1.2.4. */
function readDuration(field: Field, used: string): number | undefined {
  const text = readString(field);
  if (text === undefined || text === "") return undefined;
  const seconds = parseGoDuration(text);
  if (seconds === undefined) {
    const message = `${field.path} is ${shown(text)}, so ${used} is used: write a duration such as 24h or 1h30m.`;
    rejectPart(field, "duration-invalid", message);
  }
  return seconds;
}

/** What the schema demands of fields that are read but not acted on. */
function checkFieldsWithoutEffect(spec: Field): void {
  readDuration(memberAt(spec, "sidecar", "configResyncInterval"), "0s");
  const authorization = memberAt(spec, "traffic", "inboundExternalAuthorization");
  checkObject(authorization);
  for (const name of ["enable", "failureModeAllow"]) readBoolean(member(authorization, name));
  for (const name of ["address", "statPrefix"]) readString(member(authorization, name));
  readPort(member(authorization, "port"));
  readDuration(member(authorization, "timeout"), "1s");
  const observability = member(spec, "observability");
  readBoolean(member(observability, "enableDebugServer"));
  const tracing = member(observability, "tracing");
  checkObject(tracing);
  readBoolean(member(tracing, "enable"));
  readInteger(member(tracing, "port"));
  for (const name of ["address", "endpoint"]) readString(member(tracing, name));
  const flags = member(spec, "featureFlags");
  if (checkObject(flags)) for (const name of Object.keys(flags.value as object)) readBoolean(member(flags, name));
  checkIngressGateway(memberAt(spec, "certificate", "ingressGateway"));
}

function checkIngressGateway(gateway: Field): void {
  if (gateway.value === undefined || !checkObject(gateway)) return;
  const names = member(gateway, "subjectAltNames");
  const items = readList(names, true);
  items.map(requireString);
  if (Array.isArray(names.value) && items.length === 0) {
    reject(names, "field-required", `${names.path} is empty: write at least one name.`);
  }
  requireString(member(gateway, "validityDuration"));
  const secret = member(gateway, "secret");
  if (!checkObject(secret, true)) return;
  for (const name of ["name", "namespace"]) requireString(member(secret, name));
}
