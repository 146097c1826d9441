import { envoy } from "../../proto/gen/resources.js";
import type { TlsSettings, UpstreamClusterView } from "../mesh/mod.ts";
import { FROM_ADS } from "./ads.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS, NOBODY, SECRETS } from "./names.ts";

/**
 * mTLS between sidecars. Both sides show the secret `service-cert` and trust `root-cert`; whom exactly is said by lists of
 * DNS SANs beside them.
 */
const { DownstreamTlsContext, SubjectAltNameMatcher, TlsParameters, UpstreamTlsContext } =
  envoy.extensions.transport_sockets.tls.v3;

type CommonContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.$Properties;
type TransportSocket = envoy.config.core.v3.TransportSocket.$Properties;

/** Tells traffic of the mesh from all other TLS. Only offered and matched, never negotiated: see {@link inboundTls}. */
export const MESH_ALPN = "osm";

/** The client's side of a connection to one service. */
export function upstreamTls(view: Pick<UpstreamClusterView, "sni" | "serverSans" | "tls">): TransportSocket {
  return {
    name: EXTENSIONS.tls,
    typedConfig: packAny("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", UpstreamTlsContext, {
      sni: view.sni,
      commonTlsContext: { ...meshContext(view.tls, view.serverSans), alpnProtocols: [MESH_ALPN] },
    }),
  };
}

/**
 * The server's side. `clientSans` undefined accepts every certificate of the mesh CA.
 *
 * No `alpn_protocols`: Envoy takes a negotiated protocol that it does not know for HTTP/1, and HTTP/2 requests fail.
 */
export function inboundTls(tls: TlsSettings, clientSans: readonly string[] | undefined): TransportSocket {
  return {
    name: EXTENSIONS.tls,
    typedConfig: packAny("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", DownstreamTlsContext, {
      requireClientCertificate: { value: true },
      commonTlsContext: meshContext(tls, clientSans),
    }),
  };
}

function meshContext(tls: TlsSettings, acceptedSans: readonly string[] | undefined): CommonContext {
  const trustBundle = { name: SECRETS.trustBundle, sdsConfig: FROM_ADS };
  return {
    tlsParams: tlsParameters(tls),
    tlsCertificateSdsSecretConfigs: [{ name: SECRETS.serviceCertificate, sdsConfig: FROM_ADS }],
    ...(acceptedSans === undefined
      ? { validationContextSdsSecretConfig: trustBundle }
      : {
          combinedValidationContext: {
            defaultValidationContext: { matchTypedSubjectAltNames: sanMatchers(acceptedSans) },
            validationContextSdsSecretConfig: trustBundle,
          },
        }),
  };
}

function sanMatchers(
  sans: readonly string[],
): envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher.$Properties[] {
  const accepted = sans.length === 0 ? [NOBODY] : sans;
  return accepted.map((exact) => ({ sanType: SubjectAltNameMatcher.SanType.DNS, matcher: { exact } }));
}

function tlsParameters(tls: TlsSettings): envoy.extensions.transport_sockets.tls.v3.TlsParameters.$Properties {
  return {
    tlsMinimumProtocolVersion: TlsParameters.TlsProtocol[tls.minVersion],
    tlsMaximumProtocolVersion: TlsParameters.TlsProtocol[tls.maxVersion],
    cipherSuites: [...tls.cipherSuites],
    ecdhCurves: [...tls.ecdhCurves],
  };
}
