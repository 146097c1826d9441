import type { X509Certificate } from "node:crypto";
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

/** As `node:tls` words them. */
interface CertificateTexts extends Pick<PeerCertificate, "serialNumber" | "valid_to"> {
  readonly subject: { readonly CN?: unknown };
  readonly subjectaltname?: string | undefined;
}

/** The one line of a subject that is a common name alone: with more in it runtimes differ in what they escape. */
const PLAIN_SUBJECT = /^CN=([A-Za-z0-9._-]+)$/;

/** A `TLSSocket`, as far as it is looked at. */
interface PeerCertificates {
  getPeerX509Certificate(): X509Certificate | undefined;
  getPeerCertificate(): PeerCertificate;
}

export interface PeerIdentity {
  readonly certificate: X509Certificate;
  readonly read: ClientCertificate;
}

/**
 * Reads what TLS verified of a client; undefined when a resumed session knows of no certificate. Node's whole object, with
 * three hashes and the key's parameters, costs 45 us for each connection, what is needed of it a quarter.
 */
export function peerIdentity(socket: PeerCertificates): PeerIdentity | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const [, CN] = PLAIN_SUBJECT.exec(certificate.subject) ?? [];
  if (CN === undefined) return { certificate, read: readClientCertificate(socket.getPeerCertificate()) };
  const { subjectAltName: subjectaltname, serialNumber, validTo: valid_to } = certificate;
  return { certificate, read: readClientCertificate({ subject: { CN }, subjectaltname, serialNumber, valid_to }) };
}

/** Reads what TLS verified. The names are as long as they are: OSM's common names exceed the 64 characters of X.520. */
export function readClientCertificate(certificate: CertificateTexts): ClientCertificate {
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
