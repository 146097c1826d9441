import { describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import type { InboundRoute, InboundRouteView, OutboundRouteView, WeightedCluster } from "../mesh/mod.ts";
import { encodeInboundRoutes } from "./routes-inbound.ts";
import { encodeOutboundRoutes } from "./routes-outbound.ts";

/** Bytes of both directions are those that Envoy's own definitions give. */
const { RouteConfiguration } = envoy.config.route.v3;
const { PreviousHostsPredicate } = envoy.extensions.retry.host.previous_hosts.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { ALLOW } = envoy.config.rbac.v3.RBAC.Action;

function any<Message>(name: string, codec: { encode(message: Message): { finish(): Uint8Array } }, message: Message) {
  return { type_url: `type.googleapis.com/${name}`, value: codec.encode(message).finish() };
}

const retryPolicy = {
  retryOn: "connect-failure,refused-stream,reset-before-request",
  numRetries: { value: 2 },
  retryHostPredicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      typedConfig: any(
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        PreviousHostsPredicate,
        {},
      ),
    },
  ],
  hostSelectionRetryMaxAttempts: 3,
};

const cluster = (n: number, weight: number): WeightedCluster => ({ cluster: `shop/cart-v${n}|8080`, weight });

describe("outbound routes", () => {
  test.each([
    ["one cluster", [cluster(1, 100)], { cluster: "shop/cart-v1|8080" }],
    ["a share of nothing", [cluster(1, 0), cluster(2, 7)], [0, 7]],
    ["200 shares", Array.from({ length: 200 }, (_, n) => cluster(n, n)), Array.from({ length: 200 }, (_, n) => n)],
    ["shares beyond 32 bits", [cluster(1, 2 ** 32 - 1), cluster(2, 2 ** 32 - 1)], [2 ** 31 - 1, 2 ** 31 - 1]],
  ] as const)("%s", (_, clusters, expected) => {
    const action =
      "cluster" in expected
        ? expected
        : {
            weightedClusters: {
              clusters: clusters.map(({ cluster: name }, n) => ({ name, weight: { value: expected[n] ?? 0 } })),
            },
          };
    const hosts = ["cart", "cärt"].map((name) => ({ name, domains: [`${name}.shop`, `${name}.shop:80`] }));
    const view: OutboundRouteView = {
      kind: "outbound-route",
      name: "rds-outbound.shop/cart.80",
      virtualHosts: hosts.map((host) => ({ ...host, clusters })),
    };
    expect(encodeOutboundRoutes(view)).toEqual(
      RouteConfiguration.encode({
        name: view.name,
        virtualHosts: hosts.map((host) => ({
          ...host,
          routes: [{ match: { prefix: "" }, route: { ...action, timeout: {}, retryPolicy } }],
        })),
        validateClusters: { value: false },
      }).finish(),
    );
  });
});

describe("inbound routes", () => {
  const anyRequest: InboundRoute = { pathRegex: ".*", method: "*", headers: [], cluster: "shop/cart|8080|local" };
  const names = (count: number) => Array.from({ length: count }, (_, n) => `account-${n}.shop.cluster.local`);
  const routes: readonly (readonly [string, InboundRoute, envoy.config.route.v3.RouteMatch.$Properties])[] = [
    ["any request of anybody", anyRequest, { prefix: "" }],
    ["a path of nobody", { ...anyRequest, pathRegex: "/buy", principals: [] }, { safeRegex: { regex: "/buy" } }],
    ["an empty path", { ...anyRequest, pathRegex: "", principals: names(1) }, { safeRegex: { regex: "(?:)" } }],
    [
      "a method and headers, of many",
      {
        ...anyRequest,
        method: "GET",
        pathRegex: "/büy.*",
        headers: [
          { name: "host", regex: "a" },
          { name: "x", regex: "" },
        ],
        principals: names(300),
      },
      {
        headers: [
          { name: ":method", stringMatch: { exact: "GET" } },
          { name: ":authority", stringMatch: { safeRegex: { regex: "a" } } },
          { name: "x", stringMatch: { safeRegex: { regex: "(?:)" } } },
        ],
        safeRegex: { regex: "/büy.*" },
      },
    ],
  ];

  function rulesOf(principals: readonly string[] | undefined) {
    if (principals === undefined) return {};
    const policy = {
      permissions: [{ any: true }],
      principals: principals.map((exact) => ({ authenticated: { principalName: { exact } } })),
    };
    const policies = principals.length === 0 ? {} : { "rbac-for-route": policy };
    const message = { rbac: { rules: { action: ALLOW, policies } } };
    return {
      typedPerFilterConfig: {
        "envoy.filters.http.rbac": any("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", RBACPerRoute, message),
      },
    };
  }

  function expected(name: string, hosts: readonly (readonly (typeof routes)[number][])[]) {
    return RouteConfiguration.encode({
      name,
      virtualHosts: hosts.map((own, n) => ({
        name: `host-${n}`,
        domains: [`cart-${n}`, `cart-${n}:80`],
        routes: own.map(([, route, match]) => ({
          match,
          route: { cluster: route.cluster, timeout: {} },
          ...rulesOf(route.principals),
        })),
      })),
      validateClusters: { value: false },
    }).finish();
  }

  function encoded(name: string, hosts: readonly (readonly (typeof routes)[number][])[]) {
    const view: InboundRouteView = {
      kind: "inbound-route",
      name,
      virtualHosts: hosts.map((own, n) => ({
        name: `host-${n}`,
        domains: [`cart-${n}`, `cart-${n}:80`],
        routes: own.map(([, route]) => route),
      })),
    };
    return encodeInboundRoutes(view);
  }

  test.each(routes)("%s", (...route) => {
    expect(encoded("rds-inbound.8080", [[route]])).toEqual(expected("rds-inbound.8080", [[route]]));
  });

  test("several hosts and routes, and none", () => {
    for (const hosts of [[routes, routes.slice(1)], [[]], []]) {
      expect(encoded("rds-inbound.8080", hosts)).toEqual(expected("rds-inbound.8080", hosts));
    }
  });
});
