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
    cert: certificatePem,
    key: privateKeyPem,
    ca: clientCaPem,
    minVersion: "TLSv1.2",
    sessionIdContext: "osm-xds",
    ciphers: [FIRST_CIPHER, ...DEFAULT_CIPHERS.split(":").filter((cipher) => cipher !== FIRST_CIPHER)].join(":"),
    ecdhCurve: "X25519:P-256:P-384",
  };
}
