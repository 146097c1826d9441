import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { signRoot } from "../../src/ca/certificate.ts";
import { runCli } from "../../src/cli/mod.ts";
import { type ConnectReport, type RunReport, readScenario, runScenario, TYPE_URL } from "../../src/fleet/mod.ts";
import { silentLog, systemClock } from "../../src/lib/mod.ts";
import { skipOnDeno } from "../support/needs.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;

const root = mkdtempSync(join(tmpdir(), "osm-fleet-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The command as a process of its own. */
const program = [
  ...("Deno" in globalThis ? ["run", "-A"] : []),
  fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url)),
];

/** `osm ARGS`, as a person types it. */
async function osm(...args: readonly string[]) {
  let stdout = "";
  let stderr = "";
  const status = await runCli(args, {
    env: process.env,
    cwd: root,
    write: (text) => {
      stdout += text;
    },
    note: (text) => {
      stderr += text;
    },
    isTty: false,
    signal: new AbortController().signal,
  });
  return { status, stdout, stderr };
}

test("a scenario runs on a real control plane: each change is delivered once, and every table is as it should be", async () => {
  const { status, stdout, stderr } = await osm("fleet", "run", "smoke", "-o", "json", "--html", "report.html");
  expect(stderr).toContain("oracle: passed");
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as RunReport;
  expect(report.oracle).toMatchObject({ isPassed: true, proxies: 20, fresh: 5 });
  expect(report.errors).toEqual({});
  const counted = report.phases.filter(({ needed }) => needed !== undefined);
  expect(counted.map(({ name }) => name)).toEqual(["endpoint-churn", "policies", "touch", "rotate-certificates"]);
  for (const { name, needed, resources, missing } of counted) {
    expect({ name, resources, missing }).toEqual({ name, resources: needed, missing: 0 });
  }
  expect(counted[0]?.toEach?.count).toBe(160);
  expect(report.phases.find(({ name }) => name === "reconnect")).toMatchObject({ resources: 0 });
  expect(readFileSync(join(root, "report.html"), "utf8")).toContain("Deliveries per change");
}, 90_000);

/** A scenario that comes with osm, on a mesh of 12 pods and for a few seconds. */
async function runSmall(name: string, ...settings: readonly string[]): Promise<RunReport> {
  const shape = "shape={services: 4, pods: 3, namespaces: 2, mode: smi, calls: {kind: groups, size: 2}}";
  const flags = [shape, "patience=15s", ...settings].flatMap((setting) => ["--set", setting]);
  const { status, stdout, stderr } = await osm("fleet", "run", name, "-o", "json", ...flags);
  expect(stderr).toContain("oracle: passed");
  expect(status).toBe(0);
  return JSON.parse(stdout) as RunReport;
}

/** Deno's sockets do not resume TLS sessions. */
const resumed = (sessions: number) => ("Deno" in globalThis ? {} : { resumed: sessions });

test("of two control planes that share a CA one can go: its proxies go to the other, and are sent nothing", async () => {
  const churn = ["phases.3.actions.0.for=2s", "phases.4.for=1s"];
  const report = await runSmall("rolling-control-plane", ...churn);
  const [, drain, again, spread, among, alone] = report.phases;
  expect(report.phases.map(({ streams }) => streams)).toEqual([
    [6, 6],
    [12, 0],
    [12, 0],
    [6, 6],
    [0, 12],
    [0, 12],
  ]);
  expect(drain).toMatchObject({ resources: 0, opened: { proxies: 6, missing: 0, ...resumed(6) } });
  expect(again).toMatchObject({ resources: 0, deliveries: 0 });
  expect(spread).toMatchObject({ resources: 0, opened: { proxies: 12, ...resumed(12) } });
  for (const phase of [among, alone]) expect(phase).toMatchObject({ missing: 0, resources: phase?.needed });
}, 60_000);

test.each([
  ["global-setting", ["phases.0.every=500ms", "phases.1.every=500ms"], [2, 2]],
  ["policy-edit", ["shape.splits=1", ...[0, 1, 2, 3].map((n) => `phases.${n}.for=1s`)], [1, 2, 1, 1]],
])(
  "a scenario of edits, %s, ends with everybody having what they should",
  async (name, settings, changes) => {
    const [, ...phases] = (await runSmall(name, ...settings)).phases;
    expect(phases.map((phase) => phase.changes)).toEqual(changes);
    for (const { needed, resources, missing } of phases) {
      expect({ resources, missing }).toEqual({ resources: needed ?? resources, missing: 0 });
    }
  },
  60_000,
);

test("in permissive mode a proxy is told of its namespace's scope alone, and of that what it needs", async () => {
  writeFileSync(
    join(root, "scope.yaml"),
    `name: scope
shape: {services: 6, pods: 2, namespaces: 2, mode: smi, scope: namespace, calls: {kind: groups, size: 3}, splits: 1}
patience: 15s
phases:
  - {name: under policies, action: endpoint-churn, rate: 20, for: 500ms}
  - {action: flip}
  - {name: permissive, action: endpoint-churn, rate: 20, for: 500ms}
  - {action: split-edit, rate: 5, for: 500ms}
`,
  );
  const { status, stdout, stderr } = await osm("fleet", "run", "scope.yaml", "-o", "json");
  expect(stderr).toContain("oracle: passed");
  expect(status).toBe(0);
  const [, policies, , permissive, split] = (JSON.parse(stdout) as RunReport).phases;
  for (const phase of [policies, permissive, split]) {
    expect(phase).toMatchObject({ missing: 0, resources: phase?.needed });
  }
  // Ten changes, each for the two pods of three services of six.
  expect(permissive?.needed).toBe(60);
}, 60_000);

test("a source in trouble costs nobody anything, and what changes meanwhile arrives", async () => {
  const phases = [0, 1, 2, 3, 4, 5].map((n) => (n === 0 ? "phases.0.for=100ms" : `phases.${n}.actions.0.for=500ms`));
  const troubles = [1, 2, 3, 4, 5].map((n) => `phases.${n}.actions.1.count=1`);
  const lasting = [1, 2, 3].map((n) => `phases.${n}.actions.1.lasts=200ms`);
  const report = await runSmall("source-trouble", ...phases, ...troubles, ...lasting);
  for (const { missing, needed = 0, resources, recovery } of report.phases.slice(2)) {
    expect({ missing, troubles: recovery?.count }).toEqual({ missing: 0, troubles: 1 });
    // Changes that are found together arrive together; more than one for each would be something that did not change.
    expect(resources).toBeLessThanOrEqual(needed);
  }
}, 60_000);

/** A server that accepts connections and says nothing. */
async function silentServer(): Promise<{ readonly address: string; readonly close: () => void }> {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { address: `127.0.0.1:${port}`, close: () => void server.close() };
}

test("a restart of the control plane costs unchanged proxies nothing, and sick ones cost the others nothing", async () => {
  writeFileSync(
    join(root, "trouble.yaml"),
    `name: trouble
shape: {services: 4, pods: 3, namespaces: 2, mode: smi, calls: {kind: groups, size: 2}}
patience: 30s
phases:
  - {action: restart}
  - name: illness
    actions:
      - {action: behave, share: 0.2, behaviour: never-ack}
      - {action: behave, share: 0.2, behaviour: slow-reader, bytesPerSecond: 0}
      - {action: behave, share: 0.1, behaviour: nack}
  - {name: among sick ones, action: endpoint-churn, rate: 20, for: 1s}
  - {action: rolling-update, rate: 10, for: 500ms, share: 1}
`,
  );
  const { status, stdout, stderr } = await osm("fleet", "run", "trouble.yaml", "-o", "json");
  expect(stderr).toContain("oracle: passed");
  expect(status).toBe(0);
  const [, restart, , sick] = (JSON.parse(stdout) as RunReport).phases;
  expect(restart).toMatchObject({ name: "restart", resources: 0, opened: { missing: 0, proxies: 12 } });
  expect(sick).toMatchObject({ name: "among sick ones", changes: 20, missing: 0 });
}, 90_000);

test("a run whose progress nobody reads any more ends as one that was given up, and leaves no folder", async () => {
  const folder = mkdtempSync(join(root, "unread-"));
  const child = spawn(process.execPath, [...program, "fleet", "run", "smoke"], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.once("data", () => child.stderr.destroy());
  const [status] = (await once(child, "exit")) as [number | null];
  expect(status).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
}, 60_000);

test("a full disk under the output is told in a sentence, with exit code 1", (context) => {
  // It throws where it writes, with its trace.
  skipOnDeno(context, "event for output that cannot be written");
  if (!existsSync("/dev/full")) context.skip("unobtainable: this system has no /dev/full");
  const full = openSync("/dev/full", "w");
  try {
    const { status, stderr } = spawnSync(process.execPath, [...program, "fleet", "shapes"], {
      stdio: ["ignore", full, "pipe"],
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^osm: standard output cannot be written: ENOSPC.*\n$/),
    });
  } finally {
    closeSync(full);
  }
});

test("a run whose oracle fails has no numbers, and ends in bounded time", async () => {
  const server = await silentServer();
  const text =
    "name: silence\nshape: {services: 2, pods: 1}\npatience: 250ms\nphases: [{action: touch, rate: 1, for: 1s}]\n";
  const target = JSON.stringify({ address: server.address, folder: join(root, "silence") });
  try {
    const report = await runScenario({
      scenario: readScenario(text, "silence.yaml", [{ path: "target", value: target }]),
      serve: { command: [], env: {} },
      access: { tls: undefined, credentials: { kind: "none" } },
      clock: systemClock(),
      log: silentLog(),
      progress: () => {},
      signal: new AbortController().signal,
    });
    expect(report.phases).toEqual([]);
    expect(report.oracle.isPassed).toBe(false);
    expect(report.oracle.differences[0]).toBe("cold start: 2 proxies did not get all that they asked for in time");
    expect(report.errors).toMatchObject({ timeout: 2 });
  } finally {
    server.close();
  }
}, 30_000);

test("proxies that are never answered are told, with exit code 1", async () => {
  const server = await silentServer();
  const args = ["--target", server.address, "--plaintext", "--proxies", "2", "--timeout", "1", "--for", "1"];
  try {
    const { status, stdout } = await osm("fleet", "connect", ...args, "-o", "json");
    const report = JSON.parse(stdout) as ConnectReport;
    expect(status).toBe(1);
    expect(report.missing).toBe(2);
    expect(report.counts.errors).toMatchObject({ timeout: 2 });
  } finally {
    server.close();
  }
}, 30_000);

/** A server of nothing, in clear text: answers each first request for a type, also of types `unasked` for, and notes the node ids. */
async function emptyServer(unasked: readonly string[] = []) {
  const nodes = new Set<string>();
  let acks = 0;
  const server = createHttp2Server();
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => void sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    const answered = new Set<string>();
    let rest = Buffer.alloc(0);
    stream.on("data", (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        const { typeUrl, node } = DeltaDiscoveryRequest.decode(rest.subarray(5, end));
        rest = rest.subarray(end);
        if (node?.id) nodes.add(`${node.id} ${JSON.stringify(node.metadata)}`);
        if (answered.has(typeUrl)) {
          acks += 1;
          continue;
        }
        for (const each of [typeUrl, ...unasked]) {
          answered.add(each);
          const message = DeltaDiscoveryResponse.encode({ typeUrl: each, nonce: each }).finish();
          const head = Buffer.alloc(5);
          head.writeUInt32BE(message.length, 1);
          stream.write(Buffer.concat([head, message]));
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = () => void server.close();
  const end = () => {
    close();
    for (const session of sessions) session.destroy();
  };
  return { address: `127.0.0.1:${port}`, nodes, acks: () => acks, close, end };
}

test("a scenario runs on a server that is not of this project, whose proxies say who they are as it wants", async () => {
  const server = await emptyServer();
  writeFileSync(
    join(root, "storm.yaml"),
    "name: storm\nshape: {services: 2, pods: 2}\npatience: 10s\ntarget: {address: 127.0.0.1:1}\nphases: [{action: reconnect}]\n",
  );
  const node = ["--node-id", "sidecar~{n}~{pod}.{namespace}", "--metadata", '{"NAMESPACE": "{namespace}"}'];
  try {
    const { status, stdout, stderr } = await osm(
      ...["fleet", "run", "storm.yaml", "--target", server.address, "--plaintext", ...node, "-o", "json"],
    );
    expect(status, stderr).toBe(0);
    expect((JSON.parse(stdout) as RunReport).phases.map(({ opened }) => opened?.proxies)).toEqual([4, 4]);
    expect(server.nodes.size).toBe(4);
    expect([...server.nodes][0]).toMatch(/^sidecar~\d~service-\d+-\d+\.ns-00\d .*"ns-00\d"/);
  } finally {
    server.close();
  }
  const mine = await osm("fleet", "run", "smoke", "--plaintext");
  expect(mine).toMatchObject({ status: 2, stderr: expect.stringContaining("--plaintext belongs to a server") });
}, 30_000);

test("a server that is not there is told by kind and count, in bounded time", async () => {
  const args = ["--target", "127.0.0.1:1", "--plaintext", "--proxies", "3", "--timeout", "1", "--for", "1"];
  const { status, stdout } = await osm("fleet", "connect", ...args);
  expect(status).toBe(1);
  expect(stdout).toContain("0 of 3 proxies got all that they asked for");
  expect(stdout).toContain("connect-refused");
  // Nobody was sent anything: a table of that would be one of zeros.
  expect(stdout).not.toContain("RESPONSES");
}, 30_000);

test("a page that could not be written is told before the run, with exit code 2", async () => {
  const nowhere = await osm("fleet", "run", "smoke", "--html", "nowhere/page.html");
  expect(nowhere).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining("--html: there is no folder"),
  });
  expect(await osm("fleet", "run", "smoke", "--html", ".")).toMatchObject({ status: 2, stdout: "" });
}, 30_000);

test("a server that sends what nobody had asked for is told so", async () => {
  const server = await emptyServer([TYPE_URL.secret]);
  const args = ["--target", server.address, "--plaintext", "--proxies", "3", "--for", "1"];
  const { status, stdout, stderr } = await osm("fleet", "connect", ...args);
  server.end();
  expect(status, stderr).toBe(0);
  // With the clusters of each, and with the listeners.
  expect(stdout).toContain("6 resources or empty responses were sent that nobody had asked for");
}, 30_000);

test("a server that ends after everybody had everything is told, with exit code 1", async () => {
  const server = await emptyServer();
  const args = ["--target", server.address, "--plaintext", "--proxies", "3", "--for", "2", "-o", "json"];
  const running = osm("fleet", "connect", ...args);
  // Of clusters and of listeners, of each.
  await expect.poll(() => server.acks()).toBe(6);
  server.end();
  const { status, stdout, stderr } = await running;
  expect(status, stderr).toBe(1);
  const { missing, disconnected, counts } = JSON.parse(stdout) as ConnectReport;
  expect({ missing, disconnected }).toEqual({ missing: 0, disconnected: 3 });
  expect(counts.errors).toMatchObject({ "connect-refused": expect.any(Number) });
}, 30_000);

test("credentials that nobody would look at are refused", async () => {
  const connect = (...flags: string[]) =>
    osm("fleet", "connect", "--target", "127.0.0.1:1", "--proxies", "1", "--plaintext", ...flags);
  expect(await connect("--cert", "x.pem", "--key", "x.key")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--plaintext and --cert exclude each other"),
  });
  expect(await connect("--admin", "127.0.0.1:1")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--plaintext and --admin exclude each other"),
  });
  const admin = ["--target", "127.0.0.1:1", "--proxies", "1", "--admin", "127.0.0.1:1"];
  expect(await osm("fleet", "connect", ...admin, "--server-ca", "x.pem")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--server-ca and --admin exclude each other"),
  });
});

test("a CA that is none is told, with exit code 2", async () => {
  writeFileSync(join(root, "none.pem"), "nothing");
  const flags = ["server-ca", "sign-cert", "sign-key"].flatMap((name) => [`--${name}`, "none.pem"]);
  const { status, stderr } = await osm("fleet", "connect", "--target", "127.0.0.1:1", "--proxies", "1", ...flags);
  expect(status).toBe(2);
  expect(stderr).toContain("--sign-cert is a certificate");
});

test("a key of another certificate, and trust in nobody, are told before anybody connects, with exit code 2", async () => {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const validity = { notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + 60_000 };
  const serial = new Uint8Array(16).fill(1);
  const certificate = signRoot(own, { subject: { commonName: "one" }, serial, ...validity });
  for (const [name, text] of [
    ["none.pem", "nothing"],
    ["cert.pem", certificate],
    ["cert.key", own.privateKey.export({ type: "pkcs8", format: "pem" })],
    ["other.key", other.privateKey.export({ type: "pkcs8", format: "pem" })],
  ] as const) {
    writeFileSync(join(root, name), text);
  }
  const connect = (...flags: string[]) =>
    osm("fleet", "connect", "--target", "127.0.0.1:1", "--proxies", "1", ...flags);
  const mixed = await connect("--server-ca", "cert.pem", "--cert", "cert.pem", "--key", "other.key");
  expect(mixed).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--key is not the key of the certificate in --cert"),
  });
  const untrusting = await connect("--cert", "cert.pem", "--key", "cert.key");
  expect(untrusting).toMatchObject({ status: 2, stderr: expect.stringContaining("--cert needs --server-ca") });
  const nobody = await connect("--server-ca", "none.pem", "--cert", "cert.pem", "--key", "cert.key");
  expect(nobody).toMatchObject({ status: 2, stderr: expect.stringContaining("--server-ca holds no certificate") });
});

test("what is wrong with a scenario is told with its line, and exit code 2", async () => {
  writeFileSync(join(root, "mine.yaml"), "name: mine\nshape: W1\nphases:\n  - {action: endpoint-churn, for: 1s}\n");
  const { status, stderr } = await osm("fleet", "run", "mine.yaml");
  expect(status).toBe(2);
  expect(stderr).toContain("mine.yaml:4: phases[0].rate: is missing");
  const unknown = await osm("fleet", "run", "smok");
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toContain('Did you mean "smoke"?');
});

test.each(["null", "{}", '{"control": 5}'])(
  "an admin address of something else (it answers %s) is told in one sentence",
  async (text) => {
    const server = createHttpServer((_, response) => response.end(text)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(
        await osm("fleet", "connect", "--target", "127.0.0.1:1", "--admin", admin, "--proxies", "1"),
      ).toMatchObject({
        status: 3,
        stderr: expect.stringMatching(/is no admin address of a control plane of this project.*\n$/),
      });
    } finally {
      server.close();
    }
  },
);
