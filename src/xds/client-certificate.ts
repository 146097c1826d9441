import type { PeerCertificate } from "node:tls";

/** What a verified client certificate says about its holder. */
export interface ClientCertificate {
  /** Empty when the subject has none or more than one. */
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** Hex digits. */
  readonly serialNumber: string;
  readonly notAfterMs: number;
}

/** Reads what TLS verified. The names are as long as they are: OSM's common names exceed the 64 characters of X.520. */
export function readClientCertificate(certificate: PeerCertificate): ClientCertificate {
  const commonName: unknown = certificate.subject.CN;
  const names = subjectAltNames(certificate.subjectaltname ?? "");
  return {
    commonName: typeof commonName === "string" ? commonName : "",
    dnsNames: names.filter(({ kind }) => kind === "DNS").map(({ value }) => value),
    uris: names.filter(({ kind }) => kind === "URI").map(({ value }) => value),
    serialNumber: certificate.serialNumber,
    notAfterMs: Date.parse(certificate.valid_to),
  };
}

/**
 * Splits the text form that `node:tls` gives, e.g. `DNS:a.b, URI:spiffe://c`. A value with a separator in it is quoted as
 * JSON there, so that a name cannot pass for two.
 */
function subjectAltNames(text: string): { readonly kind: string; readonly value: string }[] {
  const entries = text.match(/[A-Za-z ]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g) ?? [];
  return entries.map((entry) => {
    const at = entry.indexOf(":");
    const raw = entry.slice(at + 1).replace(/, $/, "");
    return { kind: entry.slice(0, at).trim(), value: raw.startsWith('"') ? unquoted(raw) : raw };
  });
}

function unquoted(raw: string): string {
  const value: unknown = JSON.parse(raw);
  return typeof value === "string" ? value : "";
}
