import { expect, test } from "vitest";
import { generate } from "../envoy/mod.ts";
import type { ResourceView } from "../mesh/mod.ts";
import { generateHere } from "./generate-pool.ts";

function routesFor(callers: number, copies = 1): ResourceView {
  const principals = Array.from({ length: callers }, (_, n) => `account-${n}.shop.cluster.local`);
  const route = { pathRegex: ".*", method: "*", headers: [], cluster: "shop/cart|8080|local", principals };
  return {
    kind: "inbound-route",
    name: "rds-inbound.8080",
    virtualHosts: [{ name: "cart", domains: ["cart"], routes: Array.from({ length: copies }, () => route) }],
  };
}

test("the routes of many callers, and many routes, do not hold up the main thread", () => {
  expect(generateHere(routesFor(10))).toEqual(generate(routesFor(10)));
  expect(generateHere(routesFor(10_000))).toBeUndefined();
  expect(generateHere(routesFor(0, 10_000))).toBeUndefined();
});
