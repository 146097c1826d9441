import { expect, test } from "vitest";
import { envoy } from "../../../proto/gen/discovery.js";
import { jsonLog, manualClock, metricsRegistry } from "../../lib/mod.ts";
import { deltaRequestReader } from "../codec/delta-request-reader.ts";
import { encodedResponses } from "../codec/encoded-responses.ts";
import { deltaResponseEncoder, encodeSotwResponse } from "../codec/messages.ts";
import { DEFAULT_STREAM_LIMITS } from "../protocol/protocol.ts";
import { refusalMemory } from "../protocol/refusals.ts";
import { sharedResponses } from "../protocol/shared-responses.ts";
import { tableDifference } from "../protocol/table-difference.ts";
import { type ResourceTable, TYPE_URLS } from "../resource.ts";
import { PREFIX_BYTES } from "../transport.ts";
import type { PrefetchGroup } from "./prefetch.ts";
import { Session, type SessionServices } from "./session.ts";
import { xdsMetrics } from "./xds-metrics.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const ignore = () => undefined;
const EMPTY: ResourceTable = { generation: 1, get: ignore, names: () => new Set() };

/** A session on a thread whose turns can be made to be spent. */
function openSession() {
  const clock = manualClock();
  const late = new Set<Session>();
  const removed: string[] = [];
  const held: string[] = [];
  const lines: string[] = [];
  const ended: string[] = [];
  const metrics = metricsRegistry();
  let isSpent = false;
  let table: ResourceTable | undefined;
  const services: SessionServices = {
    difference: tableDifference(),
    responses: sharedResponses(),
    encoded: { delta: encodedResponses(deltaResponseEncoder()), sotw: encodedResponses(encodeSotwResponse) },
    readDeltaRequest: deltaRequestReader(),
    limits: { ...DEFAULT_STREAM_LIMITS, firstRequestMs: 10_000, quietMs: 100 },
    observe: {
      connected: ignore,
      disconnected: ignore,
      sent: ignore,
      acked: ignore,
      nacked: ignore,
      held: (_stream, typeUrl, generation) => void held.push(`${typeUrl} of ${generation}`),
      settled: ignore,
    },
    metrics: xdsMetrics(metrics),
    clock,
    log: jsonLog({ write: (line) => void lines.push(line), now: () => 0 }),
    turn: { isSpent: () => isSpent, defer: (item) => void late.add(item), forget: (item) => void late.delete(item) },
    onOver: ignore,
  };
  const session = new Session(services, {
    slot: 0,
    peer: { uuid: "u", namespace: "n", pod: "p", serviceAccount: "s" },
    protocol: "delta",
    transport: {
      send(prefixed) {
        removed.push(...DeltaDiscoveryResponse.decode(prefixed.subarray(PREFIX_BYTES)).removedResources);
        return true;
      },
      proven: ignore,
      end: (code) => void ended.push(code),
    },
    nodeIds: ["u"],
    memory: refusalMemory(),
  });
  session.follow(() => ({ current: () => table, close: ignore }));
  return {
    clock,
    removed,
    held,
    lines,
    ended,
    /** As what types requests were counted. */
    requested: () =>
      metrics
        .families()
        .find(({ name }) => name === "osm_proxy_xds_request_count")
        ?.series.map(({ labels }) => labels),
    refusals: () => metrics.families().find(({ name }) => name === "osm_xds_streams_refused_total")?.series,
    session,
    request(typeUrl: string, initialResourceVersions: Record<string, string>, resourceNamesSubscribe: string[] = []) {
      const request = { typeUrl, initialResourceVersions, resourceNamesSubscribe };
      session.receive(DeltaDiscoveryRequest.encode(request).finish());
    },
    spend() {
      isSpent = true;
    },
    nextTurn() {
      isSpent = false;
      for (const item of late) {
        late.delete(item);
        item.takeDeferred();
      }
    },
    giveTable(given = EMPTY) {
      table = given;
      session.refresh();
    },
  };
}

test("a proxy that comes back before there is a table, in a busy turn, loses the clusters that are gone", () => {
  const { clock, removed, request, spend, nextTurn, giveTable } = openSession();
  request(TYPE_URLS.cluster, { gone: "1" });
  spend();
  request(TYPE_URLS.secret, {});
  nextTurn();
  giveTable();
  expect(removed).toEqual([]);
  clock.advance(100);
  expect(removed).toEqual(["gone"]);
});

test("a mistake of ours as a request comes in ends that stream, and not the control plane", () => {
  const { session, request, lines, ended } = openSession();
  session.prefetchedWith = {
    answered() {
      throw new Error("no group");
    },
  } as unknown as PrefetchGroup;
  request(TYPE_URLS.cluster, {});
  expect(ended).toEqual(["INTERNAL"]);
  expect(lines).toHaveLength(1);
});

test.each(["constructor", "__proto__", "toString"])(
  "a proxy that asks for a type which is called %s is answered, and does no harm to what others read",
  (typeUrl) => {
    const { removed, request, requested, lines, giveTable } = openSession();
    giveTable();
    request(typeUrl, { gone: "1" }, ["gone"]);
    expect(removed).toEqual(["gone"]);
    expect(requested()).toEqual([{ type: "other" }]);
    expect(lines).toEqual([]);
  },
);

test.each([
  ["hears of one that came back with all its listeners and is sent none", "1", [`${TYPE_URLS.listener} of 7`]],
  ["hears nothing of one that came back with another version, and is sent the right one", "0", []],
])("whoever shows what proxies have %s", (_what, version, expected) => {
  const { held, request, giveTable } = openSession();
  const bytes = new Uint8Array();
  const get: ResourceTable["get"] = (typeUrl, name) => ({ typeUrl, name, version: "1", bytes });
  giveTable({ generation: 7, get, names: () => new Set(["one"]) });
  request(TYPE_URLS.cluster, { one: "1" });
  request(TYPE_URLS.listener, { one: version });
  expect(held).toEqual(expected);
});

test("a proxy that is cut off for what it sent is counted and has a line in the log, wherever that was found", () => {
  const { lines, refusals, session } = openSession();
  session.failed("RESOURCE_EXHAUSTED", "a request may name at most 20000 resources");
  session.failed("RESOURCE_EXHAUSTED", "once more");
  expect(refusals()).toMatchObject([{ labels: { reason: "request" }, value: 1 }]);
  expect(lines).toEqual([expect.stringContaining("a request may name at most 20000 resources")]);
});
