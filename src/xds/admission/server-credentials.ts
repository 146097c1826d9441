import { constants, X509Certificate } from "node:crypto";
import { DEFAULT_CIPHERS, type SecureContextOptions } from "node:tls";

/** The server's own certificate, and whom it believes, as PEM. */
export interface XdsServerCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Certificates that client certificates must lead to. */
  readonly clientCaPem: string;
}

/** The cipher that costs least where processors have AES; the rest as the runtime orders it. */
const FIRST_CIPHER = "TLS_AES_128_GCM_SHA256";

/**
 * Mutual TLS. TLS 1.2 is allowed because a MeshConfig may hold sidecars to it. Sessions are resumed wherever the ticket
 * keys are known, so what Node would name them after, the process's arguments, is one name for all.
 */
export function tlsContext({ certificatePem, privateKeyPem, clientCaPem }: XdsServerCredentials): SecureContextOptions {
  return {
    cert: withIssuer(certificatePem, clientCaPem),
    key: privateKeyPem,
    ca: clientCaPem,
    minVersion: "TLSv1.2",
    sessionIdContext: "osm-xds",
    ciphers: [FIRST_CIPHER, ...DEFAULT_CIPHERS.split(":").filter((cipher) => cipher !== FIRST_CIPHER)].join(":"),
    ecdhCurve: "X25519:P-256:P-384",
    // HTTP/2 forbids it (RFC 9113 section 9.2.1), and each would be a handshake that waits in no queue.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/**
 * With the root that issued it, which OpenSSL sends along in any case: where it is not told, it looks for the issuer and
 * verifies its signature again in each handshake.
 */
function withIssuer(certificatePem: string, rootsPem: string): string {
  const [certificate, ...others] = certificatesOf(certificatePem);
  if (certificate === undefined || others.length > 0) return certificatePem;
  const issuer = certificatesOf(rootsPem).find(
    (root) => certificate.checkIssued(root) && certificate.verify(root.publicKey),
  );
  return issuer === undefined ? certificatePem : `${certificatePem.trimEnd()}\n${issuer.toString()}`;
}

/** The certificates in a PEM text, in their order. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
