import {
  createStream,
  type Resource,
  type ResourceTable,
  refusalMemory,
  type StreamInput,
  type StreamState,
  sharedResponses,
  step,
  TYPE_URLS,
  tableDifference,
} from "../../src/xds/mod.ts";
import type { Timing, TimingGroup } from "./timing.ts";

const CLUSTERS = 200;
const UUID = "00000000-0000-4000-8000-000000000000";
const NO_NAMES: ReadonlySet<string> = new Set();

/** The delta protocol: what one change costs on one stream, the acknowledgement included. */
export const stepTimings: TimingGroup = {
  name: "step",
  make(): readonly Timing[] {
    const difference = tableDifference();
    const [first, second] = [tableAt(1), tableAt(2)];
    const stream = connected(first, difference);
    let isSecond = false;
    const toggle = () => {
      isSecond = !isSecond;
      return isSecond ? second : first;
    };
    return [
      {
        name: `one of ${2 * CLUSTERS} resources changes, difference known`,
        run: () => deliver(stream, toggle()),
      },
      {
        name: `one of ${2 * CLUSTERS} resources changes, difference looked for`,
        // Tables are told apart by their identity: new ones have no known difference.
        run: () => deliver(stream, { ...toggle() }),
      },
      {
        name: "another table with nothing new",
        run: () => step(stream, { kind: "table", table: { ...(isSecond ? second : first) } }),
      },
      {
        name: `a stream's first responses, ${2 * CLUSTERS} resources`,
        calls: 100,
        run: () => connected(first, difference),
      },
    ];
  },
};

function deliver(stream: StreamState, table: ResourceTable): void {
  const { responses } = step(stream, { kind: "table", table });
  for (const { typeUrl, nonce } of responses) step(stream, request(typeUrl, { nonce }));
}

function connected(table: ResourceTable, difference: ReturnType<typeof tableDifference>): StreamState {
  const stream = createStream({
    protocol: "delta",
    nodeIds: [UUID],
    memory: refusalMemory(),
    difference,
    responses: sharedResponses(),
  });
  step(stream, { kind: "table", table });
  const pending: StreamInput[] = [
    request(TYPE_URLS.cluster, { subscribe: ["*"] }),
    request(TYPE_URLS.endpoints, { subscribe: [...table.names(TYPE_URLS.endpoints)] }),
  ];
  for (let input = pending.shift(); input !== undefined; input = pending.shift()) {
    for (const { typeUrl, nonce } of step(stream, input).responses) pending.push(request(typeUrl, { nonce }));
  }
  return stream;
}

function request(typeUrl: string, fields: { nonce?: string; subscribe?: readonly string[] }): StreamInput {
  return {
    kind: "delta-request",
    typeUrl,
    nodeId: UUID,
    nonce: fields.nonce ?? "",
    subscribe: fields.subscribe ?? [],
    unsubscribe: [],
    initialVersions: new Map(),
    error: undefined,
  };
}

/** Clusters and their endpoints; the endpoints of the first one change with the generation. */
function tableAt(generation: number): ResourceTable {
  const types = new Map<string, Map<string, Resource>>();
  for (const typeUrl of [TYPE_URLS.cluster, TYPE_URLS.endpoints]) {
    const resources = new Map<string, Resource>();
    for (let n = 0; n < CLUSTERS; n++) {
      const version = n === 0 && typeUrl === TYPE_URLS.endpoints ? `v${generation}` : "v0";
      const name = `ns-${n % 10}/service-${n}|8080`;
      resources.set(name, { typeUrl, name, version, bytes: new Uint8Array(200) });
    }
    types.set(typeUrl, resources);
  }
  const names = new Map([...types].map(([typeUrl, ofType]) => [typeUrl, new Set(ofType.keys())]));
  return {
    generation,
    get: (typeUrl, name) => types.get(typeUrl)?.get(name),
    names: (typeUrl) => names.get(typeUrl) ?? NO_NAMES,
  };
}
