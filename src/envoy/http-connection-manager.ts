import { envoy } from "../../proto/gen/resources.js";
import { ACCESS_LOGS } from "./access-log.ts";
import { FROM_ADS } from "./ads.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS } from "./names.ts";
import { HTTP_RBAC_FILTER } from "./rbac.ts";

/**
 * HTTP on a connection. Which protocol version is spoken is found out from the first bytes. Everything that policy can
 * change is in the route configuration, a resource of its own: a change of policy leaves the filter chain, and so every
 * open connection, as it is.
 */
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;

type Filter = envoy.config.listener.v3.Filter.$Properties;
type ManagerMessage = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.$Properties;

const ROUTER_FILTER = {
  name: EXTENSIONS.router,
  typedConfig: packAny("envoy.extensions.filters.http.router.v3.Router", Router, {}),
};

const UPGRADES = [{ upgradeType: "websocket" }];

/** Requests of the application to one service and port. */
export function outboundHttpFilter(routeName: string): Filter {
  return filterFor({ ...byRoute(routeName), httpFilters: [ROUTER_FILTER], upgradeConfigs: UPGRADES });
}

/** Requests of others to the application. */
export function inboundHttpFilter(routeName: string): Filter {
  return filterFor({
    ...byRoute(routeName),
    httpFilters: [HTTP_RBAC_FILTER, ROUTER_FILTER],
    upgradeConfigs: UPGRADES,
    // The path that access rules match is the path that the application gets: `/public/../admin` is `/admin` to both.
    normalizePath: { value: true },
  });
}

/** Requests answered by routes that are part of the listener. */
export function staticHttpFilter(
  statPrefix: string,
  routeConfig: envoy.config.route.v3.RouteConfiguration.$Properties,
): Filter {
  return filterFor({ statPrefix, routeConfig, httpFilters: [ROUTER_FILTER] });
}

function byRoute(routeConfigName: string): ManagerMessage {
  return { statPrefix: routeConfigName, rds: { configSource: FROM_ADS, routeConfigName } };
}

function filterFor(manager: ManagerMessage): Filter {
  return {
    name: EXTENSIONS.httpConnectionManager,
    typedConfig: packAny(
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      HttpConnectionManager,
      { ...manager, accessLog: [...ACCESS_LOGS] },
    ),
  };
}
