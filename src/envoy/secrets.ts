import { envoy } from "../../proto/gen/envoy.js";
import type { SECRETS } from "./names.ts";

const { Secret } = envoy.extensions.transport_sockets.tls.v3;

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

/** Encodes the secret with which a proxy shows who it is. The result holds a private key: it belongs to its proxy alone. */
export function encodeServiceCertificate(certificate: ServiceCertificate): Uint8Array {
  return Secret.encode({
    name: certificate.name,
    tlsCertificate: {
      certificateChain: { inlineString: certificate.certificateChainPem },
      privateKey: { inlineString: certificate.privateKeyPem },
    },
  }).finish();
}

/**
 * Encodes the secret by which a proxy verifies others. It names no SANs: Envoy would add them to the exact lists of each
 * cluster and chain.
 */
export function encodeTrustBundle(bundle: TrustBundle): Uint8Array {
  return Secret.encode({
    name: bundle.name,
    validationContext: { trustedCa: { inlineString: bundle.rootsPem } },
  }).finish();
}
