import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

/** The server's own certificate, and whom it believes, as PEM. */
export interface XdsServerCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Certificates that client certificates must lead to. */
  readonly clientCaPem: string;
}

/**
 * Mutual TLS for grpc-js that can be renewed while the server runs: new connections get the new certificate, open ones
 * stay as they are. TLS 1.2 is allowed because a MeshConfig may hold sidecars to it.
 */
export class RenewableCredentials extends ServerCredentials {
  constructor(credentials: XdsServerCredentials) {
    super({ requestCert: true, rejectUnauthorized: true }, contextOf(credentials));
  }

  renew(credentials: XdsServerCredentials): void {
    this.updateSecureContextOptions(contextOf(credentials));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ certificatePem, privateKeyPem, clientCaPem }: XdsServerCredentials): SecureContextOptions {
  return { cert: certificatePem, key: privateKeyPem, ca: clientCaPem, minVersion: "TLSv1.2" };
}
