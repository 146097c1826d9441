/** The worlds and actions whose costs are counted. */
import { isDeepStrictEqual } from "node:util";
import type { Shape, World } from "../../bench/world.ts";
import { makeWorld } from "../../bench/world.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { type Cost, type Line, type Parts, startLine } from "./line.ts";

/** Everybody may call everybody. */
const OPEN: Shape = { services: 5, podsPerService: 4, namespaces: 2, callers: 0, seed: 1 };
/** Every service has two callers, and nothing but that is allowed. */
const POLICIES: Shape = { services: 8, podsPerService: 3, namespaces: 3, callers: 2, seed: 1 };

interface Action {
  readonly name: string;
  readonly run: (line: Line, world: World) => Promise<Cost>;
}

export interface CountedAction {
  readonly world: string;
  readonly action: string;
  readonly cost: Cost;
}

/** Runs every action in its world, each in the state that the one before it left. */
export async function countAll(parts: Parts = {}): Promise<readonly CountedAction[]> {
  return [
    ...(await countIn("open, 5 x 4", OPEN, [...coldStart, ...edits, ...openOnly, ...reconnects], parts)),
    ...(await countIn("policies, 8 x 3", POLICIES, [...coldStart, ...edits, ...policyEdits, ...reconnects], parts)),
    // The same in a mesh five times as large: what an edit costs must not grow with it.
    ...(await countIn("policies, 40 x 3", { ...POLICIES, services: 40 }, [...edits, ...policyEdits], parts)),
  ];
}

async function countIn(name: string, shape: Shape, actions: readonly Action[], parts: Parts): Promise<CountedAction[]> {
  const world = makeWorld(shape);
  const line = await startLine(world, parts);
  if (!actions.some((action) => coldStart.includes(action))) await line.connect(line.proxies);
  const counted: CountedAction[] = [];
  for (const action of actions) {
    counted.push({ world: name, action: action.name, cost: await action.run(line, world) });
  }
  return counted;
}

const coldStart: readonly Action[] = [
  { name: "one proxy connects", run: (line) => line.connect(line.proxies.slice(0, 1)) },
  { name: "another of its class connects", run: (line) => line.connect(line.proxies.slice(1, 2)) },
  { name: "all others connect", run: (line) => line.connect(line.proxies.slice(2)) },
];

const edits: readonly Action[] = [
  { name: "every object is touched", run: (line, world) => line.apply(...world.objects.map(touched)) },
  { name: "an endpoint goes", run: (line, world) => line.apply(world.sliceWithout(0, 0)) },
  { name: "and comes back", run: (line, world) => line.apply(world.slice(0)) },
  {
    name: "ten changes of a service at once",
    run: (line, world) =>
      line.apply(...Array.from({ length: 10 }, (_, n) => world.sliceWithout(0, n % world.shape.podsPerService))),
  },
  { name: "an object outside of the mesh changes", run: (line) => line.apply(foreignConfigMap) },
  {
    name: "a leaf is renewed",
    run: (line, world) => line.renewLeaf(nth(world.pods, 0)),
  },
];

const openOnly: readonly Action[] = [
  { name: "an endpoint of no pod is added", run: (line, world) => line.apply(world.slice(0, ["10.200.0.1"])) },
  { name: "a traffic split is made", run: (line, world) => line.apply(split(world, 90)) },
  { name: "its weight is edited", run: (line, world) => line.apply(split(world, 80)) },
  { name: "its weight is edited back", run: (line, world) => line.apply(split(world, 90)) },
];

const policyEdits: readonly Action[] = [
  { name: "a policy allows less", run: (line, world) => line.apply(world.target(0, ["read"])) },
  { name: "and as much as before", run: (line, world) => line.apply(world.target(0, ["read", "write"])) },
];

const reconnects: readonly Action[] = [
  { name: "all reconnect with versions", run: (line) => line.connect(line.proxies) },
  {
    name: "all reconnect without",
    async run(line) {
      const byDeltas = line.proxies.map((proxy) => proxy.content());
      const cost = await line.connect(line.proxies, { isCold: true });
      const atOnce = line.proxies.map((proxy) => proxy.content());
      if (!isDeepStrictEqual(byDeltas, atOnce)) throw new Error("deltas have left proxies with other than the whole");
      return cost;
    },
  },
  { name: "the mesh becomes open or closed", run: (line, world) => line.apply(flipped(world)) },
  { name: "and back", run: (line, world) => line.apply(nth(world.objects.filter(isMeshConfig), 0)) },
];

function touched(object: KubeObject): KubeObject {
  return {
    ...structuredClone(object),
    metadata: { ...object.metadata, annotations: { touched: "yes" } },
  };
}

const foreignConfigMap: KubeObject = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "leader", namespace: "elsewhere", annotations: { renewed: "now" } },
};

function isMeshConfig({ kind }: KubeObject): boolean {
  return kind === "MeshConfig";
}

function flipped(world: World): KubeObject {
  const config = nth(world.objects.filter(isMeshConfig), 0);
  const spec = structuredClone(config.spec) as { traffic: { enablePermissiveTrafficPolicyMode: boolean } };
  spec.traffic.enablePermissiveTrafficPolicyMode = !spec.traffic.enablePermissiveTrafficPolicyMode;
  return { ...config, spec };
}

/** Requests for service 0 go to service 0 and to another one of its namespace. */
function split({ shape, pods }: World, weight: number): KubeObject {
  const nameOf = (service: number) => nth(pods, service * shape.podsPerService).serviceAccount;
  return {
    apiVersion: "split.smi-spec.io/v1alpha2",
    kind: "TrafficSplit",
    metadata: { name: "canary", namespace: nth(pods, 0).namespace },
    spec: {
      service: nameOf(0),
      backends: [
        { service: nameOf(0), weight },
        { service: nameOf(shape.namespaces), weight: 100 - weight },
      ],
    },
  };
}

function nth<Item>(items: readonly Item[], n: number): Item {
  const item = items[n];
  if (item === undefined) throw new Error(`there are ${items.length} items, and none at ${n}`);
  return item;
}
