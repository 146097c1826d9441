import { connect, createServer, type Server } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { generate } from "../../src/envoy/mod.ts";
import { contentHash } from "../../src/lib/mod.ts";
import { classOf, decide, type MeshSnapshot, type PodRecord, proxyView } from "../../src/mesh/mod.ts";
import { TYPE_URLS } from "../../src/xds/mod.ts";
import type { Resource } from "../../src/xds/resource.ts";
import { clusterIp, denseWorld, NAMESPACES, podAddress, SERVICES } from "../support/dense-world.ts";
import { snapshotOf } from "../support/mesh.ts";
import { type AdsMesh, type AdsProxy, startAdsMesh } from "./ads-mesh.ts";
import { describeWithEnvoy } from "./binary.ts";
import { type LeafMaker, leafMaker } from "./leaves.ts";
import {
  dialled,
  type LoopbackPorts,
  loopbackPorts,
  onLoopback,
  translated,
  translateRecords,
  withoutInterception,
} from "./loopback-world.ts";

const { Listener } = envoy.config.listener.v3;
const worlds = Number(process.env["PROPERTY_RUNS"] ?? 60);
const CLUSTER_IPS = NAMESPACES.flatMap((namespace) => SERVICES.map((service) => clusterIp(namespace, service)));
const POD_ADDRESSES = NAMESPACES.flatMap((namespace) => [0, 1, 2].map((position) => podAddress(namespace, position)));
const SERVED = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
/** A proxy's workers take over what it has acknowledged a moment later. */
const TAKEOVER_MS = 5000;

interface Request {
  readonly address: string;
  readonly port: number;
  readonly authority: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Most go to a Service by a name of its own. */
const request: fc.Arbitrary<Request> = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    service: fc.constantFrom(...SERVICES),
    pod: fc.constantFrom(...Array<undefined>(5), 0, 1, 2),
    host: fc.constantFrom("", "", "", "", "", "", "pod-0.", "pod-1."),
    form: fc.constantFrom("", ".NS", ".NS", ".NS.svc", ".NS.svc.cluster.local", ".NS:80", ".NS:81"),
    other: fc.constantFrom(...Array<undefined>(9), "a.shop", "c.depot", "example.org"),
    port: fc.constantFrom(80, 80, 80, 81),
    method: fc.constantFrom("GET", "POST"),
    path: fc.constantFrom("/x", "/y", "/x?y", "/y", "/z"),
    headers: fc.constantFrom<Record<string, string>[]>({}, { user: "alice" }, { user: "bob" }),
  })
  .map(({ namespace, service, pod, host, form, other, ...rest }) => ({
    ...rest,
    address: pod === undefined ? clusterIp(namespace, service) : podAddress(namespace, pod),
    authority: other ?? `${host}${service}${form.replace("NS", namespace)}`,
  }));

/** Says what a client says whatever the protocol, and reads what comes of it. */
function observe(host: string, port: number, { authority, method, path, headers }: Request): Promise<string> {
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${authority}`, "connection: close", "content-length: 0"];
  const text = [...lines, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let heard = "";
    const finish = (why: string) => {
      socket.destroy();
      const status = /^HTTP\/1\.1 (\d+)/.exec(heard)?.[1];
      const outcomes: Record<string, string> = {
        200: "allowed",
        403: "denied-403",
        404: "no-route-404",
        503: "unavailable-503",
      };
      resolve(status === undefined ? why : (outcomes[status] ?? status));
    };
    socket.setTimeout(3000, () => finish("silent"));
    socket.on("data", (chunk) => {
      heard += chunk.toString();
      if (heard.includes("\r\n\r\n")) finish("no answer");
    });
    socket.on("error", () => finish("refused"));
    socket.on("close", () => finish("refused"));
    socket.write(text);
  });
}

/** What may be seen: one outcome for each endpoint that may be chosen. */
function foreseen(snapshot: MeshSnapshot, source: PodRecord, own: Request): readonly string[] {
  const { address, port, ...rest } = own;
  const { outcome, candidates } = decide(snapshot, { source, destination: { address, port }, ...rest });
  const outcomes = candidates.length > 0 ? candidates.map((candidate) => candidate.outcome) : [outcome];
  // Nothing leaves the mesh here.
  return [...new Set(outcomes.map((each) => (each === "passthrough" ? "refused" : each)))];
}

describeWithEnvoy("what the evaluator says of a request", () => {
  let mesh: AdsMesh;
  let ports: LoopbackPorts;
  let leaves: LeafMaker;
  const proxies: AdsProxy[] = [];
  const apps: Server[] = [];
  beforeAll(async () => {
    [mesh, ports, leaves] = await Promise.all([startAdsMesh(), loopbackPorts(), leafMaker()]);
    const { startProxy } = mesh;
    proxies.push(...(await Promise.all(POD_ADDRESSES.map((_, position) => startProxy(`pod-${position}`)))));
    for (const port of ports.target) {
      const app = createServer((socket) => {
        socket.on("error", () => socket.destroy());
        socket.once("data", () => socket.end(SERVED));
      });
      apps.push(app);
      await new Promise<void>((resolve) => app.listen(port, "127.0.0.1", resolve));
    }
  });
  afterAll(async () => {
    await mesh?.stop();
    for (const app of apps) app.close();
  });

  const bound = (host: string, port: number) => ({ socketAddress: { address: host, portValue: port } });
  /** Listeners take the addresses that clients dial, and those of the pod. */
  const addressesOf = (name: string, position: number) =>
    name === "inbound-listener"
      ? ports.target.map((port) => bound(onLoopback(POD_ADDRESSES[position] ?? ""), port))
      : [...CLUSTER_IPS, ...POD_ADDRESSES].flatMap((address) =>
          ports.service.map((port) => bound(dialled(onLoopback(address), position), port)),
        );
  const tableOf = async (snapshot: MeshSnapshot, pod: PodRecord, position: number): Promise<readonly Resource[]> => {
    const key = pod.proxyUuid === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
    if (key === undefined) return [];
    const views = withoutInterception(proxyView(snapshot, key), position);
    const resources = views.map((view): Resource => {
      const made = generate(view);
      if (made.typeUrl !== TYPE_URLS.listener) return made;
      const [address = null, ...others] = addressesOf(made.name, position);
      const additionalAddresses = others.map((other) => ({ address: other }));
      const bytes = Listener.encode({ ...Listener.decode(made.bytes), address, additionalAddresses }).finish();
      return { ...made, bytes, version: contentHash(bytes) };
    });
    const isSecured = views.some(({ kind }) => kind === "upstream-cluster" || kind === "inbound-listener");
    return [...resources, ...(isSecured ? await leaves.secretsOf(pod) : [])];
  };

  test(`is what real Envoys do with it, in ${worlds} random worlds`, { timeout: 300_000 }, async () => {
    let compared = 0;
    const property = fc.asyncProperty(
      denseWorld(),
      fc.array(request, { minLength: 12, maxLength: 12 }),
      async (written, requests) => {
        const records = translateRecords(written, ports);
        const snapshot = snapshotOf(...records);
        const byKey = new Map(records.map((record) => [`${record.kind} ${JSON.stringify(record.ref)}`, record]));
        const pods = [...byKey.values()].filter((record) => record.kind === "Pod");
        const podAt = (position: number) =>
          pods.find(({ addresses }) => addresses.includes(onLoopback(POD_ADDRESSES[position] ?? "")));
        await Promise.all(
          proxies.map(async (proxy, position) => {
            const pod = podAt(position);
            await proxy.publish(pod === undefined ? [] : await tableOf(snapshot, pod, position));
          }),
        );
        for (const position of proxies.keys()) {
          const source = podAt(position);
          if (source?.proxyUuid === undefined) continue;
          for (const own of requests) {
            const asked = {
              ...own,
              address: onLoopback(own.address),
              port: ports.of(own.port),
              authority: translated(own.authority, ports),
            };
            const expected = foreseen(snapshot, source, asked);
            const ask = () => observe(dialled(asked.address, position), asked.port, asked);
            await expect
              .poll(ask, {
                timeout: TAKEOVER_MS,
                interval: 20,
                message: `${source.ref.name} asks ${JSON.stringify(asked)}`,
              })
              .toSatisfy((seen: string) => expected.includes(seen), `one of ${expected.join(", ")}`);
            compared += 1;
          }
        }
      },
    );
    await fc.assert(property, { numRuns: worlds, endOnFailure: true });
    for (const { refusals } of proxies) expect(refusals).toEqual([]);
    expect(compared).toBeGreaterThan(worlds);
  });
});
