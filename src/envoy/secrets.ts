/**
 * Encodes the two secrets of every proxy. By hand, after envoy/extensions/transport_sockets/tls/v3/{secret,common}.proto:
 * the signing worker needs nothing else of Envoy's messages, and all of them would cost it more memory than it has
 * otherwise. A test holds the result against the generated encoder.
 */
import protobuf from "protobufjs/minimal.js";
import { SECRETS } from "./names.ts";

export { SECRETS };

/** A leaf certificate with its key. */
export interface ServiceCertificate {
  readonly name: typeof SECRETS.serviceCertificate;
  /** Leaf first, then intermediates. */
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}
/** The roots that a proxy trusts. */
export interface TrustBundle {
  readonly name: typeof SECRETS.trustBundle;
  readonly rootsPem: string;
}

/** Numbers of the fields that are written. */
const FIELD = {
  secret: { name: 1, tlsCertificate: 2, validationContext: 4 },
  tlsCertificate: { certificateChain: 1, privateKey: 2 },
  validationContext: { trustedCa: 1 },
  dataSource: { inlineString: 3 },
} as const;

/** Encodes the secret with which a proxy shows who it is. The result holds a private key: it belongs to its proxy alone. */
export function encodeServiceCertificate(certificate: ServiceCertificate): Uint8Array {
  const writer = protobuf.Writer.create();
  text(writer, FIELD.secret.name, certificate.name);
  message(writer, FIELD.secret.tlsCertificate, () => {
    inlineString(writer, FIELD.tlsCertificate.certificateChain, certificate.certificateChainPem);
    inlineString(writer, FIELD.tlsCertificate.privateKey, certificate.privateKeyPem);
  });
  return writer.finish();
}

/**
 * Encodes the secret by which a proxy verifies others. It names no SANs: Envoy would add them to the exact lists of each
 * cluster and chain.
 */
export function encodeTrustBundle(bundle: TrustBundle): Uint8Array {
  const writer = protobuf.Writer.create();
  text(writer, FIELD.secret.name, bundle.name);
  message(writer, FIELD.secret.validationContext, () => {
    inlineString(writer, FIELD.validationContext.trustedCa, bundle.rootsPem);
  });
  return writer.finish();
}

function inlineString(writer: protobuf.Writer, field: number, value: string): void {
  message(writer, field, () => text(writer, FIELD.dataSource.inlineString, value));
}

/** Wire type 2: length-delimited (protobuf.dev, "Encoding"). */
function tag(writer: protobuf.Writer, field: number): protobuf.Writer {
  return writer.uint32((field << 3) | 2);
}
function text(writer: protobuf.Writer, field: number, value: string): void {
  tag(writer, field).string(value);
}
function message(writer: protobuf.Writer, field: number, write: () => void): void {
  tag(writer, field).fork();
  write();
  writer.ldelim();
}
