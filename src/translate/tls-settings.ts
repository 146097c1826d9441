import type { TlsSettings } from "../mesh/mod.ts";
import { type Field, member, readList, readOneOf, rejectPart, requireString, shown } from "./field.ts";

const VERSIONS = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"] as const;

/** Names that Envoy's BoringSSL takes; it refuses a whole listener or cluster over any other. */
const CIPHER_SUITES: ReadonlySet<string> = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA256",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
]);
const ECDH_CURVES: ReadonlySet<string> = new Set(["X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"]);

/** TLS parameters of MeshConfig `spec.sidecar`; what Envoy would refuse has no effect, and the rest stands. */
export function readTlsSettings(sidecar: Field): TlsSettings {
  const min = readOneOf(member(sidecar, "tlsMinProtocolVersion"), VERSIONS) ?? "TLSv1_2";
  const max = readOneOf(member(sidecar, "tlsMaxProtocolVersion"), VERSIONS) ?? "TLSv1_3";
  const isInverted = min !== "TLS_AUTO" && max !== "TLS_AUTO" && VERSIONS.indexOf(min) > VERSIONS.indexOf(max);
  if (isInverted) {
    const message = `TLS from ${min} to ${max} leaves no version, so TLSv1_2 to TLSv1_3 is used: swap the two.`;
    rejectPart(member(sidecar, "tlsMinProtocolVersion"), "tls-versions-inverted", message);
  }
  return {
    minVersion: isInverted ? "TLSv1_2" : min,
    maxVersion: isInverted ? "TLSv1_3" : max,
    cipherSuites: readKnown(member(sidecar, "cipherSuites"), CIPHER_SUITES, "cipher suite"),
    ecdhCurves: readKnown(member(sidecar, "ecdhCurves"), ECDH_CURVES, "curve"),
  };
}

/** A cipher list item may be a group of equal preference, `[A|B]` (Envoy API, `TlsParameters.cipher_suites`). */
function readKnown(list: Field, known: ReadonlySet<string>, what: string): readonly string[] {
  const found = readList(list).flatMap((item) => {
    const text = requireString(item);
    const group = known === CIPHER_SUITES ? /^\[(.+)\]$/.exec(text)?.[1] : undefined;
    const names = group === undefined ? [text] : group.split("|");
    if (names.every((name) => known.has(name))) return [text];
    if (typeof item.value === "string") {
      const message = `${item.path} is ${shown(text)}, a ${what} that Envoy does not know: use ${[...known].join(", ")}.`;
      rejectPart(item, "tls-parameter-unknown", message);
    }
    return [];
  });
  // BoringSSL refuses a curve that is named twice.
  return [...new Set(found)];
}
