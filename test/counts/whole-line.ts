/**
 * The whole line in one process, from Kubernetes objects to responses: translation, store, push engine and one delta
 * stream for each pod, with a client that asks as Envoy does and counts what comes.
 */

import type { World, WorldPod } from "../../bench/world.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { createTranslation } from "../../src/translate/mod.ts";
import {
  createStream,
  type Resource,
  type Response,
  refusalMemory,
  type StreamInput,
  type StreamState,
  sharedResponses,
  step,
  TYPE_URLS,
  tableDifference,
} from "../../src/xds/mod.ts";
import { pushBench, quiet } from "../support/push-bench.ts";

/** What the clients got, all together. */
export interface Deliveries {
  readonly responses: number;
  /** `<short type> <name>`, one for each resource delivered. */
  readonly resources: readonly string[];
  readonly removed: number;
  readonly bytes: number;
}

interface Line {
  /** Takes objects in as one batch, and says what it cost once everything is quiet. */
  apply(...objects: readonly KubeObject[]): Promise<Deliveries & { readonly generated: number }>;
  /** All clients lose their streams and come back with the versions that they have. */
  reconnect(): Promise<Deliveries>;
}

/** Starts the line on a world; every pod has a client that has all that it wants. */
export async function wholeLine(world: World): Promise<Line> {
  const bench = pushBench();
  const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
  const difference = tableDifference();
  const clients = world.pods.map((pod) => new Client(pod, difference));
  const follow = () => {
    for (const client of clients) client.follow(bench);
  };
  const take = () => sum(clients.map((client) => client.take()));
  bench.change(
    translation.apply([{ type: "reset", source: "test", objects: world.objects.map((object) => ({ object })) }]),
  );
  follow();
  await quiet();
  take();
  return {
    async apply(...objects) {
      const before = bench.counts().generated;
      bench.change(translation.apply(objects.map((object) => ({ type: "apply", source: "test", object }))));
      await quiet();
      return { ...take(), generated: bench.counts().generated - before };
    },
    async reconnect() {
      follow();
      await quiet();
      return take();
    },
  };
}

/** A proxy: one stream at a time, and what it has been given. */
class Client {
  readonly #pod: WorldPod;
  readonly #difference: ReturnType<typeof tableDifference>;
  readonly #memory = refusalMemory();
  readonly #held = new Map<string, Map<string, string>>();
  #stream: StreamState | undefined;
  #close: () => void = () => undefined;
  #arrived: Response[] = [];

  constructor(pod: WorldPod, difference: ReturnType<typeof tableDifference>) {
    this.#pod = pod;
    this.#difference = difference;
  }

  /** Opens a stream in place of the one before. */
  follow(bench: ReturnType<typeof pushBench>): void {
    this.#close();
    const { uuid, namespace, name, serviceAccount } = this.#pod;
    this.#stream = createStream({
      protocol: "delta",
      nodeIds: [uuid],
      responses: sharedResponses(),
      memory: this.#memory,
      difference: this.#difference,
    });
    const subscription = bench.engine.subscribe({ uuid, namespace, pod: name, serviceAccount }, () => refresh());
    this.#close = () => subscription.close();
    const refresh = () => {
      const table = subscription.current();
      if (table !== undefined) this.#give({ kind: "table", table });
    };
    for (const typeUrl of [TYPE_URLS.cluster, TYPE_URLS.listener]) this.#ask(typeUrl, ["*"]);
    for (const typeUrl of [TYPE_URLS.endpoints, TYPE_URLS.route]) {
      const names = [...(this.#held.get(typeUrl)?.keys() ?? [])];
      if (names.length > 0) this.#ask(typeUrl, names);
    }
    this.#ask(TYPE_URLS.secret, ["service-cert", "root-cert"]);
    this.#give({ kind: "quiet" });
    refresh();
  }

  /** What came since the last time. */
  take(): Deliveries {
    const arrived = this.#arrived;
    this.#arrived = [];
    const resources = arrived.flatMap((response) => response.resources);
    return {
      responses: arrived.length,
      resources: resources.map(({ typeUrl, name }) => `${shortName(typeUrl)} ${name}`),
      removed: arrived.reduce((total, { removed }) => total + removed.length, 0),
      bytes: resources.reduce((total, { bytes }) => total + bytes.length, 0),
    };
  }

  #ask(typeUrl: string, subscribe: readonly string[]): void {
    this.#give({ ...request(typeUrl), subscribe, initialVersions: this.#held.get(typeUrl) ?? new Map() });
  }

  #give(input: StreamInput): void {
    if (this.#stream === undefined) return;
    for (const response of step(this.#stream, input).responses) this.#receive(response);
  }

  #receive(response: Response): void {
    const { typeUrl, nonce, resources, removed } = response;
    if (resources.length + removed.length > 0) this.#arrived.push(response);
    const held = this.#held.get(typeUrl) ?? new Map<string, string>();
    this.#held.set(typeUrl, held);
    const added = resources.filter(({ name }) => !held.has(name));
    for (const { name, version } of resources) held.set(name, version);
    for (const name of removed) held.delete(name);
    this.#give({ ...request(typeUrl), nonce });
    if (typeUrl === TYPE_URLS.cluster && added.length > 0) this.#askForEndpoints(added);
    if (typeUrl === TYPE_URLS.listener && added.length > 0) this.#askForRoutes();
  }

  /** Clusters and their endpoints have one name. */
  #askForEndpoints(clusters: readonly Resource[]): void {
    const names = clusters.map(({ name }) => name).filter((name) => name.split("|").length === 2);
    if (names.length > 0) this.#give({ ...request(TYPE_URLS.endpoints), subscribe: names });
  }

  /** A listener names its routes; the test asks for all that there could be. */
  #askForRoutes(): void {
    const table = this.#stream?.table;
    this.#give({ ...request(TYPE_URLS.route), subscribe: [...(table?.names(TYPE_URLS.route) ?? [])] });
  }
}

function request(typeUrl: string) {
  return {
    kind: "delta-request",
    typeUrl,
    nodeId: "",
    nonce: "",
    subscribe: [] as readonly string[],
    unsubscribe: [],
    initialVersions: new Map<string, string>(),
    error: undefined,
  } as const;
}

function shortName(typeUrl: string): string {
  return Object.entries(TYPE_URLS).find(([, url]) => url === typeUrl)?.[0] ?? typeUrl;
}

function sum(all: readonly Deliveries[]): Deliveries {
  return {
    responses: all.reduce((total, each) => total + each.responses, 0),
    resources: all.flatMap((each) => each.resources),
    removed: all.reduce((total, each) => total + each.removed, 0),
    bytes: all.reduce((total, each) => total + each.bytes, 0),
  };
}
