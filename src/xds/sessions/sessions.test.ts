import { expect, test } from "vitest";
import { envoy } from "../../../proto/gen/discovery.js";
import { manualClock, metricsRegistry, silentLog } from "../../lib/mod.ts";
import { nextTurn } from "../../platform/mod.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import type { StreamInfo } from "../observer.ts";
import { DEFAULT_STREAM_LIMITS } from "../protocol/protocol.ts";
import { type ResourceTable, TYPE_URLS } from "../resource.ts";
import { openSessions, type SessionsOptions } from "./sessions.ts";
import { xdsMetrics } from "./xds-metrics.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
const ignore = () => undefined;
const OBSERVER: SessionsOptions["observe"] = {
  connected: ignore,
  disconnected: ignore,
  sent: ignore,
  acked: ignore,
  nacked: ignore,
  held: ignore,
  settled: ignore,
};
const CERTIFICATE: ClientCertificate = {
  commonName: "proxy",
  dnsNames: [],
  uris: [],
  notAfterMs: 1,
  serialNumber: "1",
};

const LIMITS: SessionsOptions["limits"] = {
  ...DEFAULT_STREAM_LIMITS,
  streamsMax: 1_000,
  streamsPerPeerMax: 4,
  firstRequestMs: 10_000,
  quietMs: 100,
};

/** A table with one cluster of so many bytes. */
function tableOf(size: number): ResourceTable {
  const [typeUrl, name, version] = [TYPE_URLS.cluster, "c", "1"];
  const resource = { typeUrl, name, version, bytes: new Uint8Array(size) };
  return {
    generation: 1,
    get: (type, wanted) => (type === typeUrl && wanted === name ? resource : undefined),
    names: (type) => new Set(type === typeUrl ? [name] : []),
  };
}

/** A server's streams, none of which is refused; each proxy has one. */
function sessionsWith(options: Pick<SessionsOptions, "tables"> & Partial<SessionsOptions>) {
  let uuid = 0;
  return openSessions({
    authenticate: () => ({ uuid: String(++uuid), namespace: "n", pod: "p", serviceAccount: "s" }),
    observe: OBSERVER,
    limits: LIMITS,
    metrics: xdsMetrics(metricsRegistry()),
    clock: manualClock(),
    log: silentLog(),
    ...options,
  });
}

test.each([
  { what: "little, and all in one turn", size: 500, turnsMin: 1, turnsMax: 1 },
  { what: "much, and turns stay short", size: 160 * 1024, turnsMin: 5, turnsMax: 20 },
])("two hundred proxies are sent $what", async ({ size, turnsMin, turnsMax }) => {
  // Time stands still: what is encrypted and written after the streams' own work takes its time where nobody looks.
  const changes: (() => void)[] = [];
  let table: ResourceTable | undefined;
  let sent = 0;
  const sessions = sessionsWith({
    tables: {
      subscribe(_peer, onChange) {
        changes.push(onChange);
        return { current: () => table, close: ignore };
      },
    },
  });
  for (let n = 1; n <= 200; n++) {
    const stream = sessions.open("delta", CERTIFICATE, {
      send() {
        sent++;
        return true;
      },
      proven: ignore,
      end: ignore,
    });
    const request = { node: { id: String(n) }, typeUrl: TYPE_URLS.cluster };
    stream?.receive(Buffer.from(DeltaDiscoveryRequest.encode(request).finish()));
  }
  expect(sent).toBe(0);

  table = tableOf(size);
  for (const change of changes) change();
  let turns = 0;
  for (; sent < 200 && turns < 100; turns++) await nextTurn();
  expect(turns).toBeGreaterThanOrEqual(turnsMin);
  expect(turns).toBeLessThanOrEqual(turnsMax);
});

test("streams that come and go, one after the other, take one place, and two that are open at once do not share it", () => {
  const slots: number[] = [];
  const sessions = sessionsWith({
    tables: { subscribe: () => ({ current: () => undefined, close: ignore }) },
    observe: { ...OBSERVER, connected: ({ slot }: StreamInfo) => void slots.push(slot) },
  });
  const open = () => sessions.open("delta", CERTIFICATE, { send: () => true, proven: ignore, end: ignore });
  for (let n = 0; n < 100; n++) open()?.closed();
  expect(slots).toEqual(Array.from({ length: 100 }, () => 0));
  open();
  open();
  expect(slots.slice(100)).toEqual([0, 1]);
});

test("a stream whose table cannot be followed ends alone, and its place is free again", () => {
  let isBroken = true;
  const ends: string[] = [];
  const sessions = sessionsWith({
    tables: {
      subscribe() {
        if (isBroken) throw new Error("no room");
        return { current: () => undefined, close: ignore };
      },
    },
    limits: { ...LIMITS, streamsMax: 1 },
  });
  const open = () =>
    sessions.open("delta", CERTIFICATE, {
      send: () => true,
      proven: ignore,
      end: (code, message) => void ends.push(`${code}: ${message}`),
    });
  open();
  expect(ends).toEqual(["INTERNAL: the server failed on this stream"]);
  isBroken = false;
  open();
  expect(ends).toHaveLength(1);
});

test("a proxy for which the server has no room is told so, and not blamed for it as one that is refused for what it is", () => {
  const ends: unknown[] = [];
  const sessions = sessionsWith({
    tables: { subscribe: () => ({ current: () => undefined, close: ignore }) },
    limits: { ...LIMITS, streamsMax: 1 },
  });
  const open = (certificate?: ClientCertificate) =>
    sessions.open("delta", certificate, {
      send: () => true,
      proven: ignore,
      end: (code, _message, isOurFault) => void ends.push([code, isOurFault]),
    });
  open(CERTIFICATE);
  open(CERTIFICATE);
  open();
  expect(ends).toEqual([
    ["RESOURCE_EXHAUSTED", true],
    ["UNAUTHENTICATED", false],
  ]);
});

test("a server that stops ends thousands of streams without stopping everything else, and takes none in meanwhile", async () => {
  const ended: string[] = [];
  const sessions = sessionsWith({ tables: { subscribe: () => ({ current: () => undefined, close: ignore }) } });
  const open = (name: string) =>
    sessions.open("delta", CERTIFICATE, {
      send: () => true,
      proven: ignore,
      end: (code) => void ended.push(`${name}: ${code}`),
    });
  for (let n = 0; n < 500; n++) open("early");
  const all = sessions.endAll("the control plane is stopping");
  expect(ended.length).toBeLessThan(100);
  expect(open("late")).toBeUndefined();
  expect(ended.at(-1)).toBe("late: UNAVAILABLE");
  await all;
  expect(ended.filter((end) => end === "early: UNAVAILABLE")).toHaveLength(500);
});
