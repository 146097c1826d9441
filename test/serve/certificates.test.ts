import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { afterAll, expect, test } from "vitest";
import type { CredentialFiles } from "../../src/admin/mod.ts";
import { requestJson } from "../../src/platform/json-request.ts";
import { TYPE_URLS } from "../../src/xds/mod.ts";
import { type ClientCredentials, connectDelta, type DeltaClient } from "../support/delta-client.ts";
import { skipOnDeno } from "../support/needs.ts";
import { type Serving, workshop } from "./program.ts";

const shop = workshop();
const dir = shop.path("manifests");
mkdirSync(dir);
const uuid = "0f9f1a52-6a4c-4d0e-9f3e-7d0d5c1b2a30";
shop.put(
  "manifests/shop.yaml",
  `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: buyer, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: buyer-1, namespace: shop, labels: {app: buyer, osm-proxy-uuid: ${uuid}}}
spec: {serviceAccountName: buyer, containers: [{name: buyer}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
`,
);
afterAll(() => shop.close());

const flags = ["--state-dir", shop.path("state")];
const subject = { namespace: "shop", serviceAccount: "buyer", uuid };
const SECRETS = ["root-cert", "service-cert"];

/** Asks the private socket. */
async function control(serving: Serving, path: string, body: unknown): Promise<unknown> {
  const sockets = JSON.parse((await serving.get("/debug/sockets")).body) as { readonly control: string };
  return await requestJson({ address: { socketPath: sockets.control }, method: "POST", path, body });
}

async function metric(serving: Serving, name: string): Promise<number> {
  const lines = (await serving.get("/metrics")).body.split("\n").filter((line) => line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** A proxy that asks for its secrets and, in the same breath, for clusters: the answer to these says that all was seen. */
function connect(
  serving: Serving,
  credentials: ClientCredentials,
  held: Readonly<Record<string, string>>,
): DeltaClient {
  const client = connectDelta({ address: serving.xds, credentials, nodeId: uuid });
  client.send({ typeUrl: TYPE_URLS.secret, resourceNamesSubscribe: SECRETS, initialResourceVersions: held });
  client.send({ typeUrl: TYPE_URLS.cluster, resourceNamesSubscribe: ["no-such-cluster"] });
  return client;
}

/** Takes and acknowledges responses until what is held satisfies `isEnough`; gives the versions of secrets that came. */
async function take(
  client: DeltaClient,
  isEnough: (taken: { secrets: Map<string, string>; types: Set<string> }) => boolean,
) {
  const taken = { secrets: new Map<string, string>(), types: new Set<string>() };
  while (!isEnough(taken)) {
    const response = await client.next();
    client.ack(response);
    taken.types.add(response.typeUrl);
    if (response.typeUrl !== TYPE_URLS.secret) continue;
    for (const { name, version } of response.resources) taken.secrets.set(name ?? "", version ?? "");
  }
  return taken.secrets;
}

test("a control plane that starts again issues nothing that proxies hold, and can rotate it all the same", async () => {
  const first = await shop.serve(dir, ...flags);
  const { caPem, ...issued } = (await control(first, "/credentials", subject)) as CredentialFiles;
  const own = { ...issued, rootsPem: caPem };
  const before = connect(first, own, {});
  const held = await take(before, ({ secrets }) => secrets.size === 2);
  expect([...held.keys()].sort()).toEqual(SECRETS);
  await first.stop("SIGKILL");

  const second = await shop.serve(dir, ...flags);
  const client = connect(second, own, Object.fromEntries(held));
  expect(await take(client, ({ types }) => types.has(TYPE_URLS.cluster))).toEqual(new Map());
  // The server's own certificate, and no leaf.
  expect([await metric(second, "osm_cert_issued_count"), await metric(second, "osm_cert_kept_total")]).toEqual([1, 1]);

  let isRotated = false;
  const rotated = control(second, "/certificates/rotate", {}).finally(() => {
    isRotated = true;
  });
  const renewal = await client.next();
  expect(renewal.resources.map(({ name }) => name)).toEqual(["service-cert"]);
  expect(renewal.resources[0]?.version).not.toBe(held.get("service-cert"));
  // Questions are answered in between, and still it waits for the acknowledgement.
  await metric(second, "osm_cert_issued_count");
  expect(isRotated).toBe(false);
  client.ack(renewal);
  expect(await rotated).toEqual({ proxies: 1 });
  client.close();
  await second.stop("SIGTERM");
});

test("a proxy that was away during a rotation gets its new certificate from the control plane that starts after a kill", async () => {
  const own = ["--state-dir", shop.path("state-of-rotation")];
  const first = await shop.serve(dir, ...own);
  const { caPem, ...issued } = (await control(first, "/credentials", subject)) as CredentialFiles;
  const credentials = { ...issued, rootsPem: caPem };
  const before = connect(first, credentials, {});
  const held = await take(before, ({ secrets }) => secrets.size === 2);
  before.close();
  await expect.poll(() => metric(first, "osm_proxy_connect_count")).toBe(0);
  expect(await control(first, "/certificates/rotate", {})).toEqual({ proxies: 0 });
  await first.stop("SIGKILL");

  const second = await shop.serve(dir, ...own);
  const after = connect(second, credentials, Object.fromEntries(held));
  const renewed = await take(after, ({ secrets }) => secrets.size === 1);
  expect([...renewed.keys()]).toEqual(["service-cert"]);
  expect(renewed.get("service-cert")).not.toBe(held.get("service-cert"));
  after.close();
  await second.stop("SIGTERM");
});

test("a proxy's TLS session is resumed by the control plane that starts again", async (context) => {
  skipOnDeno(context, "client that tells its session tickets");
  const http2 = [...flags, "--transport", "http2"];
  const first = await shop.serve(dir, ...http2);
  const { caPem, ...own } = (await control(first, "/credentials", subject)) as CredentialFiles;
  const credentials = { ca: caPem, cert: own.certificatePem, key: own.privateKeyPem, servername: "localhost" };
  const dial = (serving: Serving, session?: Buffer) => {
    const address = { host: "127.0.0.1", port: Number(serving.xds.split(":").at(-1)) };
    const known = session === undefined ? {} : { session };
    // Tickets come after the handshake (RFC 8446 §4.6.1), and are seen by who reads.
    return connectTls({ ...address, ...credentials, ...known, ALPNProtocols: ["h2"] }).resume();
  };
  const begun = dial(first);
  const [session] = (await once(begun, "session")) as [Buffer];
  expect(begun.isSessionReused()).toBe(false);
  begun.destroy();
  await first.stop("SIGKILL");

  const resumed = dial(await shop.serve(dir, ...http2), session);
  await once(resumed, "secureConnect");
  expect(resumed.isSessionReused()).toBe(true);
  resumed.destroy();
});

test("the stream of a proxy whose pod is deleted ends, and the proxy does not get in again", async () => {
  const manifest = readFileSync(shop.path("manifests/shop.yaml"), "utf8");
  const serving = await shop.serve(dir, "--state-dir", shop.path("state-of-deletion"));
  const { caPem, ...own } = (await control(serving, "/credentials", subject)) as CredentialFiles;
  const credentials = { ...own, rootsPem: caPem };
  const client = connect(serving, credentials, {});
  await take(client, ({ types }) => types.has(TYPE_URLS.secret));
  shop.put("manifests/shop.yaml", manifest.slice(0, manifest.lastIndexOf("---")));
  const permissionDenied = 7;
  expect((await client.ended).code).toBe(permissionDenied);
  expect((await connect(serving, credentials, {}).ended).code).toBe(permissionDenied);
  shop.put("manifests/shop.yaml", manifest);
  await serving.stop("SIGTERM");
});
