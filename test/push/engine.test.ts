import { describe, expect, test, vi } from "vitest";
import { DEFAULT_SETTINGS } from "../../src/mesh/mod.ts";
import { TYPE_URLS } from "../../src/xds/resource.ts";
import { type PushBench, peerOf, pushBench, quiet, tableContent } from "../support/push-bench.ts";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  podRecord,
  put,
  serviceRecord,
  trafficTarget,
} from "../support/records.ts";

const buyer = podRecord("bookbuyer", "buyer-1", "buyer", "10.0.0.1");
const buyer2 = podRecord("bookbuyer", "buyer-2", "buyer", "10.0.0.2");
const thief = podRecord("bookthief", "thief-1", "thief", "10.0.0.3");
const storePod = podRecord("bookstore", "store-1", "store", "10.0.0.4");
const storePod2 = podRecord("bookstore", "store-2", "store", "10.0.0.5");
const store = serviceRecord("bookstore", "store", { clusterIps: ["10.96.0.1"] });

function world() {
  return put(
    namespaceRecord("bookbuyer"),
    namespaceRecord("bookthief"),
    namespaceRecord("bookstore"),
    buyer,
    buyer2,
    thief,
    storePod,
    storePod2,
    store,
    endpointSlice(store, [storePod]),
  );
}

/** SMI mode: the buyer may GET from the store. */
function access(path: string) {
  return put(
    httpRouteGroup("bookstore", "routes", [httpMatch("buy", { pathRegex: path })]),
    trafficTarget("bookstore", "buyer-to-store", {
      to: "bookstore/store",
      from: ["bookbuyer/buyer"],
      rules: [{ kind: "HTTPRouteGroup", name: "routes", matches: ["buy"] }],
    }),
  );
}

async function thousandProxies(bench: PushBench) {
  const pods = Array.from({ length: 1000 }, (_, n) =>
    podRecord("bookbuyer", `pod-${n}`, "buyer", `10.1.${n >> 8}.${n & 255}`),
  );
  const proxies = pods.map((pod) => bench.subscribe(peerOf(pod)));
  bench.change([...world(), ...put(...pods)]);
  await quiet();
  return { proxies };
}

/** So many pushes to a thousand proxies at once that the next one has to wait, the last one not taken; `calls`: how often each was told. */
async function stormOfPushes(bench: PushBench) {
  const { proxies } = await thousandProxies(bench);
  const pushes = 6;
  for (let push = 0; push < pushes; push++) {
    for (const proxy of proxies) proxy.current();
    const pods = push % 2 === 0 ? [storePod, storePod2] : [storePod];
    bench.change(put(endpointSlice(store, pods)));
    await quiet();
  }
  return { proxies, calls: 1 + pushes };
}

describe("what a change costs", () => {
  test("one endpoint more is one resource generated, however many proxies get it", async () => {
    const bench = pushBench();
    const all = [buyer, buyer2, thief, storePod].map((pod) => bench.subscribe(peerOf(pod)));
    bench.change(world());
    await quiet();
    const before = bench.counts();
    const tables = all.map((each) => tableContent(each.current()));
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    await quiet();
    expect(bench.counts().generated - before.generated).toBe(1);
    for (const [position, each] of all.entries()) {
      const now = tableContent(each.current());
      const changed = Object.keys(now).filter((name) => now[name] !== tables[position]?.[name]);
      expect(changed).toEqual(["endpoints bookstore/store|8080"]);
      expect(each.calls()).toBe(2);
    }
  });

  test("an object that was touched and says the same costs nothing and reaches nobody", async () => {
    const bench = pushBench();
    const proxy = bench.subscribe(peerOf(buyer));
    bench.change(world());
    await quiet();
    const [before, table] = [bench.counts(), proxy.current()];
    bench.change(put(endpointSlice(store, [storePod])));
    bench.change(put({ ...store, ref: { ...store.ref, line: 99 } }));
    await quiet();
    expect(bench.counts()).toEqual(before);
    expect(proxy.current()).toBe(table);
    expect(proxy.calls()).toBe(1);
  });

  test("one edited TrafficTarget regenerates only what concerns its classes", async () => {
    const bench = pushBench();
    const [ofBuyer, ofThief, ofStore] = [buyer, thief, storePod].map((pod) => bench.subscribe(peerOf(pod)));
    bench.change([...world(), ...put(meshConfig({ ...DEFAULT_SETTINGS, isPermissive: false })), ...access("/buy")]);
    await quiet();
    const tables = [ofBuyer, ofThief].map((each) => each?.current());
    const [before, inbound] = [bench.counts(), tableContent(ofStore?.current())];
    bench.change(access("/buy-nothing"));
    await quiet();
    expect([ofBuyer, ofThief].map((each) => each?.current())).toEqual(tables);
    const now = tableContent(ofStore?.current());
    expect(Object.keys(now).filter((name) => now[name] !== inbound[name])).toEqual(["route rds-inbound.8080"]);
    expect(bench.counts().generated - before.generated).toBe(1);
  });

  test("what was generated once is found again, by a class that comes later or a world that comes back", async () => {
    const bench = pushBench();
    bench.subscribe(peerOf(buyer));
    bench.change(world());
    await quiet();
    const before = bench.counts();
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    await quiet();
    bench.change(put(endpointSlice(store, [storePod])));
    await quiet();
    bench.subscribe(peerOf(thief));
    await quiet();
    expect(bench.counts().generated - before.generated).toBe(1);
  });
});

test("a namespace that leaves the mesh and comes back before anybody looked leaves every table as it was", async () => {
  const bench = pushBench();
  const proxy = bench.subscribe(peerOf(buyer));
  // Two names for one address: they share a filter chain.
  const twins = ["one", "two"].map((name) =>
    serviceRecord("bookstore", name, { isHeadless: true, clusterIps: [], selector: storePod.labels }),
  );
  const slices = twins.map((service) => endpointSlice(service, [storePod]));
  bench.change([...world(), ...put(...twins, ...slices, meshConfig({ isPermissive: false })), ...access("/buy")]);
  await quiet();
  const before = tableContent(proxy.current());
  expect(Object.keys(before)).toContain("route rds-outbound.bookstore/one+bookstore/two.80");
  bench.change(put(namespaceRecord("bookstore", { monitoredBy: "other" })));
  bench.change(put(namespaceRecord("bookstore")));
  await quiet();
  expect(tableContent(proxy.current())).toEqual(before);
});

describe("whose table it is", () => {
  test("nothing is served before the first complete world", async () => {
    const bench = pushBench();
    const proxy = bench.subscribe(peerOf(buyer));
    await quiet();
    expect(proxy.current()).toBeUndefined();
    bench.change(world());
    await quiet();
    expect(proxy.calls()).toBe(1);
    expect(proxy.current()?.generation).toBe(1);
  });

  test("a proxy whose leaf is not there yet waits for it, and is then served at once", async () => {
    const bench = pushBench();
    bench.secrets.hold(true);
    const proxy = bench.subscribe(peerOf(buyer));
    bench.change(world());
    await quiet();
    expect(proxy.current()).toBeUndefined();
    bench.secrets.renew("bookbuyer", "buyer");
    bench.engine.secretsChanged({ namespace: "bookbuyer", serviceAccount: "buyer" });
    await quiet();
    expect([...(proxy.current()?.names(TYPE_URLS.secret) ?? [])]).toEqual(["service-cert", "root-cert"]);
  });

  test("a renewed leaf reaches the proxies of its identity and nobody else", async () => {
    const bench = pushBench();
    const [first, second, other] = [buyer, buyer2, thief].map((pod) => bench.subscribe(peerOf(pod)));
    bench.change(world());
    await quiet();
    const [before, generated] = [first?.current(), bench.counts().generated];
    bench.secrets.renew("bookbuyer", "buyer");
    bench.engine.secretsChanged({ namespace: "bookbuyer", serviceAccount: "buyer" });
    await quiet();
    expect([first?.calls(), second?.calls(), other?.calls()]).toEqual([2, 2, 1]);
    expect(first?.current()?.get(TYPE_URLS.secret, "service-cert")?.version).toBe("leaf-2");
    expect(before?.get(TYPE_URLS.secret, "service-cert")?.version).toBe("leaf-1");
    expect(bench.counts().generated).toBe(generated);
  });

  test("a pod's uuid in the hands of another service account gets nothing", async () => {
    const bench = pushBench();
    const impostor = bench.subscribe({ ...peerOf(buyer), serviceAccount: "thief" });
    bench.change(world());
    await quiet();
    expect(impostor.current()).toBeUndefined();
  });

  test("a proxy whose pod is gone keeps its table, and its identity's leaf is forgotten soon", async () => {
    const bench = pushBench();
    const proxy = bench.subscribe(peerOf(thief));
    bench.change(world());
    await quiet();
    const table = proxy.current();
    bench.change([{ type: "remove", kind: "Pod", namespace: "bookthief", name: "thief-1" }]);
    await quiet();
    bench.change(put(endpointSlice(store, [storePod2])));
    await quiet();
    expect(proxy.current()).toBe(table);
    bench.clock.advance(1000);
    expect(bench.secrets.names()).not.toContain("bookthief/thief");
    expect(bench.errors).toEqual([]);
  });

  test("a subscription that was closed is told nothing more", async () => {
    const bench = pushBench();
    const proxy = bench.subscribe(peerOf(buyer));
    bench.change(world());
    await quiet();
    proxy.close();
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    await quiet();
    expect(proxy.calls()).toBe(1);
    expect(bench.engine.tableOf(peerOf(buyer).uuid)).toBeUndefined();
  });
});

describe("when pushes happen", () => {
  test("many changes while one is being worked on become one push of the latest world", async () => {
    const bench = pushBench();
    const proxy = bench.subscribe(peerOf(buyer));
    bench.change(world());
    await quiet();
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    bench.change(put(endpointSlice(store, [])));
    bench.change(put(endpointSlice(store, [storePod2])));
    await quiet();
    expect(proxy.calls()).toBe(2);
    expect(bench.pushes.map(({ generation, changes }) => [generation, changes.length])).toEqual([
      [1, 1],
      [4, 3],
    ]);
  });

  test("a few changes for a thousand proxies do not wait for each other", async () => {
    const bench = pushBench();
    const { proxies } = await thousandProxies(bench);
    for (const isReady of [true, false, true]) {
      bench.change(put(endpointSlice(store, [storePod, { ...storePod2, isReady }])));
      await quiet();
    }
    expect(proxies.every((each) => each.calls() === 4)).toBe(true);
  });

  test("after many pushes to a thousand proxies the next one waits in proportion, and none is lost", async () => {
    const bench = pushBench();
    const { proxies, calls } = await stormOfPushes(bench);
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    await quiet();
    expect(proxies.every((each) => each.calls() === calls)).toBe(true);
    // 1000 deliveries at 30 µs, with half a core.
    bench.clock.advance(61);
    await quiet();
    expect(proxies.every((each) => each.calls() === calls + 1)).toBe(true);
  });

  test("a proxy that connects meanwhile is not made to wait", async () => {
    const bench = pushBench();
    const { calls } = await stormOfPushes(bench);
    bench.change(put(endpointSlice(store, [storePod, storePod2])));
    const late = bench.subscribe(peerOf(thief));
    await quiet();
    expect(late.current()?.generation).toBe(calls);
  });

  test("a push that takes an endpoint away does not wait once the one before is delivered", async () => {
    const bench = pushBench();
    const { proxies, calls } = await stormOfPushes(bench);
    bench.change(put(endpointSlice(store, [])));
    await quiet();
    expect(proxies.every((each) => each.calls() === calls)).toBe(true);
    for (const proxy of proxies) proxy.current();
    bench.change(put(endpointSlice(store, [{ ...storePod2, isReady: false }])));
    await quiet();
    expect(proxies.every((each) => each.calls() === calls + 1)).toBe(true);
  });

  test("proxies that lose an endpoint are told before those that get one more", async () => {
    const bench = pushBench();
    const bank = podRecord("bookstore", "bank-1", "bank", "10.0.0.6");
    const bankService = serviceRecord("bookstore", "bank", { clusterIps: ["10.96.0.2"], selector: bank.labels });
    const [routes, buys] = access("/buy");
    const robs = put(
      trafficTarget("bookstore", "thief-to-bank", {
        to: "bookstore/bank",
        from: ["bookthief/thief"],
        rules: [{ kind: "HTTPRouteGroup", name: "routes", matches: ["buy"] }],
      }),
    );
    const told: string[] = [];
    for (const pod of [thief, buyer]) bench.engine.subscribe(peerOf(pod), () => told.push(pod.name));
    const start = [
      ...world(),
      ...put(bank, bankService, endpointSlice(bankService, [bank]), meshConfig({ isPermissive: false })),
    ];
    bench.change([...start, ...[routes, buys].filter((each) => each !== undefined), ...robs]);
    await quiet();
    for (const [ofBank, ofStore, order] of [
      [[], [storePod, storePod2], ["thief-1", "buyer-1"]],
      [[bank], [storePod], ["buyer-1", "thief-1"]],
    ] as const) {
      told.length = 0;
      bench.change(put(endpointSlice(bankService, ofBank), endpointSlice(store, ofStore)));
      await quiet();
      expect(told).toEqual(order);
    }
  });
});

test("a pass that fails is made up for soon, without another change, for all that it was for", async () => {
  const bench = pushBench();
  bench.change(world());
  await quiet();
  bench.secrets.fail("bookthief");
  const served = bench.subscribe(peerOf(buyer));
  const failed = bench.subscribe(peerOf(thief));
  await quiet();
  expect(bench.errors).toHaveLength(1);
  expect(served.calls()).toBe(1);
  expect(served.current()).toBeDefined();
  expect(failed.current()).toBeUndefined();
  bench.secrets.fail();
  bench.clock.advance(1000);
  await quiet();
  expect(failed.current()).toBeDefined();
});

test("a stream that cannot be told of a change costs the others nothing, and is told with the next try", async () => {
  const bench = pushBench();
  bench.change(world());
  await quiet();
  const calls = { bad: 0, good: 0 };
  let isBroken = true;
  const bad = bench.engine.subscribe(peerOf(buyer), () => {
    calls.bad += 1;
    if (isBroken) throw new Error("no room");
  });
  const good = bench.engine.subscribe(peerOf(buyer2), () => {
    calls.good += 1;
  });
  await quiet();
  expect(calls.good).toBe(1);
  expect(good.current()).toBeDefined();
  expect(bad.current()).toBeUndefined();
  expect(bench.errors).toEqual([
    { error: "cannot tell a stream of bookbuyer/buyer-1 that it has another table: no room" },
  ]);
  isBroken = false;
  bench.clock.advance(1000);
  await quiet();
  expect(bad.current()).toBe(good.current());
  bench.change(put(endpointSlice(store, [storePod, storePod2])));
  await quiet();
  expect(calls.good).toBe(2);
  expect(bad.current()).toBe(good.current());
  expect(bench.errors).toHaveLength(1);
});

test("a stream that can never be told is tried less and less often, and said to be wrong once", async () => {
  const bench = pushBench();
  bench.change(world());
  await quiet();
  let tries = 0;
  bench.engine.subscribe(peerOf(buyer), () => {
    tries += 1;
    throw new Error("no room");
  });
  const good = bench.subscribe(peerOf(buyer2));
  await quiet();
  const passes = bench.passes();
  for (let second = 0; second < 3600; second++) {
    bench.clock.advance(1000);
    await Promise.resolve();
    await Promise.resolve();
  }
  await quiet();
  expect(tries).toBeGreaterThan(10);
  expect(tries, "five soon, then one in five minutes").toBeLessThan(20);
  expect(bench.passes(), "nothing else is looked at again").toBe(passes);
  expect(bench.errors).toHaveLength(1);
  expect(good.calls()).toBe(1);
});

test("while a class cannot be given a table, a change is looked at for those alone whom it concerns", async () => {
  const bench = pushBench();
  bench.change([...world(), ...put(meshConfig({ isPermissive: false })), ...access("/a")]);
  bench.secrets.fail("bookbuyer");
  for (const pod of [buyer, thief, storePod]) bench.subscribe(peerOf(pod));
  await quiet();
  expect(bench.errors).toHaveLength(1);
  const want = vi.spyOn(bench.secrets.source, "want");
  bench.change(access("/b"));
  await quiet();
  expect(want.mock.calls.map(([{ namespace }]) => namespace)).toEqual(["bookstore"]);
});

test("an engine that is stopped within a pass begins nothing more", async () => {
  const bench = pushBench();
  bench.change(world());
  await quiet();
  bench.clock.advance(1000);
  const retain = vi.spyOn(bench.secrets.source, "retain");
  bench.engine.subscribe(peerOf(buyer), () => {
    bench.change(put(podRecord("bookbuyer", "buyer-3", "buyer", "10.0.0.9")));
    bench.engine.stop();
  });
  await quiet();
  expect(bench.pushes).toHaveLength(1);
  bench.clock.advance(60_000);
  expect(retain).not.toHaveBeenCalled();
});

test("a class that cannot be given a table costs those after it nothing, change by change", async () => {
  const bench = pushBench();
  bench.change(world());
  await quiet();
  bench.secrets.fail("bookbuyer");
  const failed = bench.subscribe(peerOf(buyer));
  const served = bench.subscribe(peerOf(thief));
  await quiet();
  for (const [calls, pods] of [[storePod, storePod2], [storePod], []].entries()) {
    expect(served.current()).toBeDefined();
    expect(served.calls()).toBe(calls + 1);
    bench.change(put(endpointSlice(store, pods)));
    await quiet();
  }
  expect(failed.current()).toBeUndefined();
  expect(bench.errors).toEqual([{ error: "cannot make a table for bookbuyer/buyer: bookbuyer" }]);
  bench.secrets.fail();
  bench.clock.advance(1000);
  await quiet();
  expect(failed.current()).toBeDefined();
});
