import { expect, test } from "vitest";
import { RunProxies } from "./run-proxies.ts";
import { World } from "./world.ts";

const shape = {
  services: 2,
  pods: 5,
  namespaces: 1,
  mode: "permissive",
  calls: { kind: "all" },
  splits: 0,
  seed: 1,
} as const;
const all = Array.from({ length: 10 }, (_, id) => id);

test("who falls ill is drawn from those that are well, and who recovers from those that are ill", () => {
  const proxies = new RunProxies(new World(shape), all, { size: 10, seed: 1 });
  const ill = proxies.draw(0.3);
  proxies.setHealth(ill, false);
  const others = proxies.draw(1);
  expect([...ill, ...others].sort((left, right) => left - right)).toEqual(all);
  expect(proxies.draw(1, "ill")).toEqual(ill);
  proxies.setHealth(proxies.draw(1, "ill"), true);
  expect(proxies.isAllHealthy).toBe(true);
  expect(proxies.draw(1, "ill")).toEqual([]);
});
