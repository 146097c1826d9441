import { envoy } from "../../proto/gen/resources.js";
import { packAny } from "./any.ts";
import { EXTENSIONS } from "./names.ts";

const { OriginalDst } = envoy.extensions.filters.listener.original_dst.v3;
const { TlsInspector } = envoy.extensions.filters.listener.tls_inspector.v3;

type ListenerFilter = envoy.config.listener.v3.ListenerFilter.$Properties;

/** Restores the address that was dialled before the interception rules redirected the connection. */
export const ORIGINAL_DST_FILTER: ListenerFilter = {
  name: EXTENSIONS.originalDst,
  typedConfig: packAny("envoy.extensions.filters.listener.original_dst.v3.OriginalDst", OriginalDst, {}),
};

/** Reads SNI and ALPN from the client's first bytes, which it therefore waits for. */
export const TLS_INSPECTOR_FILTER: ListenerFilter = {
  name: EXTENSIONS.tlsInspector,
  typedConfig: packAny("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector", TlsInspector, {}),
};
