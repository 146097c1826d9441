import { envoy } from "../../proto/gen/resources.js";
import type { NetworkPolicy } from "../mesh/mod.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS } from "./names.ts";

/**
 * Access rules. Always of action ALLOW: what no policy names is refused, so no policy at all refuses everybody.
 * A principal is compared with each DNS SAN of the client's verified certificate.
 */
const { RBAC } = envoy.config.rbac.v3;
const { RBAC: HttpRbac } = envoy.extensions.filters.http.rbac.v3;
const { RBAC: NetworkRbac } = envoy.extensions.filters.network.rbac.v3;

type Policy = envoy.config.rbac.v3.Policy.$Properties;

/** The filter in which routes keep their rules. Without rules of its own, so that an unknown path is 404 and not 403. */
export const HTTP_RBAC_FILTER: envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.$Properties = {
  name: EXTENSIONS.httpRbac,
  typedConfig: packAny("envoy.extensions.filters.http.rbac.v3.RBAC", HttpRbac, {}),
};

/**
 * Rules of a TCP chain, acting on the client's first byte. The chain's TLS validation has refused others before; this
 * filter repeats the decision with the policy's name in statistics and logs.
 */
export function networkRbacFilter(policies: readonly NetworkPolicy[]): envoy.config.listener.v3.Filter.$Properties {
  const named = policies
    .filter((policy) => policy.principals.length > 0)
    .map((policy): [string, Policy] => [
      policy.name,
      {
        permissions:
          policy.ports.length === 0 ? [{ any: true }] : policy.ports.map((destinationPort) => ({ destinationPort })),
        principals: policy.principals.map(authenticated),
      },
    ]);
  return {
    name: EXTENSIONS.networkRbac,
    typedConfig: packAny("envoy.extensions.filters.network.rbac.v3.RBAC", NetworkRbac, {
      statPrefix: "network-",
      rules: { action: RBAC.Action.ALLOW, policies: Object.fromEntries(named) },
    }),
  };
}

function authenticated(exact: string): envoy.config.rbac.v3.Principal.$Properties {
  return { authenticated: { principalName: { exact } } };
}
