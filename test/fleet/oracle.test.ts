import { describe, expect, test } from "vitest";
import type { FleetCounts } from "../../src/fleet/fleet-api.ts";
import { libraryScenario, TYPE_URL, World } from "../../src/fleet/mod.ts";
import { compareCounts, compareErrors, compareFresh, comparePatience, compareTables } from "../../src/fleet/oracle.ts";
import { Differences } from "../../src/fleet/oracle-differences.ts";
import { type Expectation, expectations, seersOfEndpoints, seersOfRoute } from "../../src/fleet/oracle-expectation.ts";
import { INBOUND_ROUTE } from "../../src/fleet/oracle-names.ts";
import { judged, Sent, shape } from "./sent-resources.ts";

const CLUSTER = "ns-000/service-00000|8080";

describe("the oracle", () => {
  test("agrees with a table that is as it should be", async () => {
    expect(await judged(() => {})).toEqual([]);
  });

  test.each<[string, (sent: Sent, expectation: Expectation) => void, string]>([
    ["an endpoint is missing", (sent) => sent.setEndpoints(CLUSTER, ["10.64.0.0:8080"]), "missing 10.64.0.1:8080"],
    [
      "an endpoint is left over",
      (sent) => sent.setEndpoints(CLUSTER, ["10.64.0.0:8080", "10.64.0.1:8080", "10.64.9.9:8080"]),
      "too many 10.64.9.9:8080",
    ],
    [
      "an endpoint has another port",
      (sent) => sent.setEndpoints(CLUSTER, ["10.64.0.0:8080", "10.64.0.1:80"]),
      "missing 10.64.0.1:8080, too many 10.64.0.1:80",
    ],
    [
      "an endpoint resource is no protobuf",
      (sent) => sent.contents.set(`${TYPE_URL.endpoints} ${CLUSTER}`, Uint8Array.of(255)),
      `ClusterLoadAssignment "${CLUSTER}" is no protobuf of its type`,
    ],
    [
      "a cluster trusts somebody else's certificate",
      (sent) => sent.setPeers(CLUSTER, ["thief.ns-000.cluster.local"]),
      "trusts thief.ns-000.cluster.local instead of service-00000.ns-000.cluster.local",
    ],
    [
      "a route leads elsewhere",
      (sent) => sent.setWeights("rds-outbound.ns-001/service-00001.80", new Map([[CLUSTER, 1]])),
      `weights of rds-outbound.ns-001/service-00001.80: ${CLUSTER}=1 instead of ns-001/service-00001|8080=1`,
    ],
    [
      "the paths are those of before",
      (sent, { principals }) => sent.setRules({ principals, paths: ["/items", "/old/.*"] }),
      "takes /items, /old/.* instead of /items, /items/.*",
    ],
    ["a cluster is missing", (sent) => sent.remove(TYPE_URL.cluster, CLUSTER), `has no cluster ${CLUSTER}`],
    [
      "a cluster is there that policy does not give",
      (sent) => sent.contents.set(`${TYPE_URL.cluster} ns-001/service-00003|8080`, new Uint8Array()),
      "should not have: ns-001/service-00003|8080",
    ],
    [
      "a split has another weight",
      (sent) => sent.setWeights("rds-outbound.ns-000/service-00000.80", new Map([[CLUSTER, 1]])),
      `weights of rds-outbound.ns-000/service-00000.80: ${CLUSTER}=1 instead of`,
    ],
    [
      "somebody is let in too many",
      (sent, { paths }) => sent.setRules({ principals: ["thief.ns-000.cluster.local"], paths }),
      "lets in thief",
    ],
    [
      "everybody is let in",
      (sent, { paths }) => sent.setRules({ principals: undefined, paths }),
      "lets in everybody instead of",
    ],
  ])("says what differs when %s", async (_, change, words) => {
    const found = await judged(change);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(words);
  });

  test("tells a proxy without a table", async () => {
    const expectation = expectations(new World(shape))(0);
    const differences = new Differences();
    await compareTables([], new Map([[3, { name: "pod", expectation }]]), async () => undefined, differences);
    expect(differences.sentences()).toEqual(["pod: has no table"]);
  });

  test("does not take a resource that cannot be read for one that is right", async () => {
    const world = new World(shape);
    const expectation = expectations(world)(0);
    const table = new Sent(world).table(0);
    const differences = new Differences();
    await compareTables([table], new Map([[0, { name: "pod", expectation }]]), async () => undefined, differences);
    expect(differences.sentences()).toContainEqual(expect.stringContaining("was gone when it was read"));
  });

  test("fails a server that lets proxies wait though the machine has time", () => {
    const slow = { name: "cold start", warmingTimeouts: 3, isBoundByClient: false, isMachineBusy: false };
    const differences = new Differences();
    comparePatience([slow], differences);
    expect(differences.sentences()).toEqual(["cold start: 3 resources came later than an Envoy waits for them (15 s)"]);
    const excused = new Differences();
    const others = [{ isBoundByClient: true }, { isMachineBusy: true }, { warmingTimeouts: 0 }];
    comparePatience(
      others.map((other) => ({ ...slow, ...other })),
      excused,
    );
    expect(excused.count).toBe(0);
  });

  test("excuses lost connections by trouble that the scenario makes, and garbage by nothing", () => {
    const counts = { errors: { reset: 3, protocol: 1 }, errorExamples: { protocol: "no frame" } };
    const [quiet, troubled] = [new Differences(), new Differences()];
    compareErrors(counts, false, quiet);
    expect(quiet.count).toBe(2);
    compareErrors(counts, true, troubled);
    expect(troubled.sentences()).toEqual(["1 error of kind protocol: no frame"]);
  });

  test("finds a table that changes have made another than a cold start makes", () => {
    const grown = new Sent(new World(shape));
    const fresh = new Sent(new World(shape));
    fresh.setEndpoints(CLUSTER, ["10.64.0.0:8080"]);
    const differences = new Differences();
    compareFresh([grown.table(0)], [fresh.table(0)], () => "pod", differences);
    expect(differences.sentences()).toEqual([`pod: a fresh client of this pod has other endpoints: ${CLUSTER}`]);
  });

  test("fails what was sent again, refused or out of order, and lets a scenario refuse on purpose", () => {
    const counts = {
      nacks: 1,
      repeated: 2,
      unrequested: 0,
      routesBeforeClusters: 3,
      listenersBeforeClusters: 0,
    } as FleetCounts;
    const differences = new Differences();
    compareCounts(counts, false, differences);
    expect(differences.count).toBe(3);
    const willing = new Differences();
    compareCounts(counts, true, willing);
    expect(willing.count).toBe(2);
  });
});

describe("what a proxy has to have", () => {
  test("is in SMI mode what its service account may call, and the splits of that", () => {
    const world = new World(shape);
    const { names, endpoints, principals, weights, peers } = expectations(world)(1);
    // Services 0 and 1 call each other; 0 is split between itself and 2, which 1 may not call.
    expect(names[TYPE_URL.endpoints]).toEqual([
      "ns-000/service-00000|8080",
      "ns-000/service-00002|8080",
      "ns-001/service-00001|8080",
    ]);
    expect(endpoints.get("ns-000/service-00002|8080")).toEqual([]);
    expect(principals).toEqual(["service-00000.ns-000.cluster.local", "service-00001.ns-001.cluster.local"]);
    expect(weights.get("rds-outbound.ns-000/service-00000.80")?.size).toBe(2);
    expect(weights.get("rds-outbound.ns-001/service-00001.80")).toEqual(new Map([["ns-001/service-00001|8080", 1]]));
    expect([...peers.keys()].sort()).toEqual(["ns-000/service-00000|8080", "ns-001/service-00001|8080"]);
  });

  test("is in permissive mode everything, and lets everybody in", () => {
    const world = new World({ ...shape, mode: "permissive" });
    const { names, principals } = expectations(world)(3);
    expect(names[TYPE_URL.endpoints]).toHaveLength(4);
    expect(principals).toBeUndefined();
  });

  test("is in permissive mode the services of its namespace alone, where that is its scope, and still lets everybody in", () => {
    const world = new World({ ...shape, mode: "permissive", scope: "namespace" });
    const { names, endpoints, principals, weights } = expectations(world)(2);
    const own = ["ns-000/service-00000|8080", "ns-000/service-00002|8080"];
    expect(names[TYPE_URL.endpoints]).toEqual(own);
    expect(names[TYPE_URL.cluster]).toEqual([own[0], `${own[0]}|local`, own[1], `${own[1]}|local`]);
    expect(names[TYPE_URL.route]).toEqual([
      INBOUND_ROUTE,
      "rds-outbound.ns-000/service-00000.80",
      "rds-outbound.ns-000/service-00002.80",
    ]);
    expect(endpoints.get(own[1] ?? "")).toEqual(["10.64.0.4:8080", "10.64.0.5:8080"]);
    expect([...weights.keys()]).toEqual(names[TYPE_URL.route]?.slice(1));
    expect(principals).toBeUndefined();
  });

  test.each([
    ["none, in permissive mode", {}, true, [0, 1, 2, 3]],
    ["the namespace, in permissive mode", { scope: "namespace" }, true, [1, 3]],
    ["the namespace, in SMI mode, where it has no effect", { scope: "namespace" }, false, [2, 3]],
  ] as const)("is told of a change of a service by this scope: %s", (_, scope, isPermissive, seers) => {
    const world = new World({ ...shape, ...scope });
    world.isPermissive = isPermissive;
    expect(seersOfEndpoints(world, 3)).toEqual(seers);
    expect(seersOfRoute(world, 3)).toEqual(seers);
  });

  test("is in the scenario of a flip the same 50 services in both modes", () => {
    const world = new World(libraryScenario("flip").shape);
    const { names } = expectations(world)(7);
    world.isPermissive = !world.isPermissive;
    expect(expectations(world)(7).names).toEqual(names);
    expect(names[TYPE_URL.endpoints]).toHaveLength(50);
    expect(world.everyPod).toHaveLength(5000);
  });
});

test("names that a server chose reach a person's terminal spelled out", () => {
  const differences = new Differences();
  differences.add("has no cluster \u001b[2J\noracle: passed");
  expect(differences.sentences()).toEqual(["has no cluster \\u001b[2J\\noracle: passed"]);
});
