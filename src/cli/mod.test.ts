import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runCli } from "./mod.ts";

async function run(
  args: readonly string[],
  env: Record<string, string> = {},
  signal: AbortSignal = new AbortController().signal,
) {
  const result = { out: "", err: "", code: -1 };
  result.code = await runCli(args, {
    env,
    cwd: "/",
    write: (text) => {
      result.out += text;
    },
    note: (text) => {
      result.err += text;
    },
    isTty: false,
    signal,
  });
  return result;
}

test("help is data on stdout and succeeds; no command at all is wrong usage", async () => {
  const help = await run(["--help"]);
  expect(help.code).toBe(0);
  expect(help.out).toContain("serve");
  expect(await run(["help", "cert", "rotate"])).toEqual(await run(["cert", "rotate", "--help"]));
  expect(await run(["help", "exec", "p", "--", "rm", "x"])).toEqual(await run(["exec", "--help"]));
  expect(await run([])).toMatchObject({ code: 2, out: "" });
});

test("a wrong command, flag or value is named in one sentence on stderr", async () => {
  expect(await run(["proxy", "frobnicate"])).toMatchObject({
    code: 2,
    err: 'osm: there is no command "proxy frobnicate". "osm --help" lists them\n',
  });
  const flag = await run(["pods", "--nope"]);
  expect([flag.code, flag.out]).toEqual([2, ""]);
  expect(flag.err).toContain("'--nope'");
  expect(flag.err.split("\n")).toHaveLength(2);
  expect((await run(["pods", "-o", "yaml"])).err).toContain('found "yaml"');
  expect((await run(["pods", "--admin", "nonsense"])).err).toContain('found "nonsense"');
  expect((await run(["exec", "p", "-n", "x"])).err).toContain("the command is missing");
});

test("an empty value, as of a variable that is not set, does not stand for the folder that one is in", async () => {
  const empty = await run(["serve", ""]);
  expect(empty).toMatchObject({ code: 2, err: 'osm serve: an argument is empty. See "osm serve --help"\n' });
  const stateDir = await run(["serve", "/tmp", "--state-dir="]);
  expect(stateDir).toMatchObject({ code: 2, err: expect.stringContaining("--state-dir is empty") });
  expect((await run(["fleet", "run", "W1", "--set", "shape=W1", "--set", ""])).err).toContain("--set is empty");
});

test("a group of commands explains itself", async () => {
  const help = await run(["proxy", "--help"]);
  expect(help).toMatchObject({ code: 0, err: "", out: expect.stringContaining("proxy bootstrap") });
  expect(help.out).not.toContain("cert rotate");
  expect(await run(["cert"])).toMatchObject({ code: 2, out: "", err: expect.stringContaining("cert rotate") });
});

test("fleet run reads no pipe, which might never end, and nothing that is far too long", async () => {
  const dir = mkdtempSync(join(tmpdir(), "osm-scenario-"));
  let writer: ChildProcess | undefined;
  try {
    const pipe = join(dir, "pipe.yaml");
    execFileSync("mkfifo", [pipe]);
    // Somebody who opens the pipe and closes it: a command that does read comes to an end, with another sentence.
    writer = spawn("sh", ["-c", ': > "$0"', pipe]);
    expect(await run(["fleet", "run", pipe])).toMatchObject({
      code: 2,
      err: `osm fleet run: the scenario ${pipe} cannot be read: it is no regular file\n`,
    });
    const long = join(dir, "long.yaml");
    writeFileSync(long, "#".repeat(1024 * 1024 + 1));
    expect((await run(["fleet", "run", long])).err).toContain("1048577 bytes are more than 1048576");
  } finally {
    writer?.kill();
    rmSync(dir, { recursive: true });
  }
});

test("fleet run says in a sentence, and before it runs, that the name of its page cannot be", async () => {
  const page = await run(["fleet", "run", "smoke", "--html", "x".repeat(300)]);
  expect(page).toMatchObject({ code: 2, out: "", err: expect.stringContaining("osm fleet run: --html: ENAMETOOLONG") });
});

test("serve names the folder, port or number that is wrong before it starts anything", async () => {
  expect(await run(["serve", "/does/not/exist"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("/does/not/exist"),
  });
  const file = fileURLToPath(import.meta.url);
  expect(await run(["serve", file])).toMatchObject({ code: 2, err: expect.stringContaining("is no folder") });
  expect((await run(["serve"])).err).toContain("DIR is missing");
  const negative = await run(["serve", "/tmp", "--workers", "-1"]);
  expect([negative.code, negative.err.split("\n").length]).toEqual([2, 2]);
  expect((await run(["serve", "/tmp", "--workers=many"])).err).toContain('"many"');
  expect((await run(["serve", "/tmp", "--xds", "127.0.0.1:99999"])).err).toContain("127.0.0.1:99999");
  expect((await run(["serve", "/tmp", "--mesh-name", "Not_A_Name"])).err).toContain("Not_A_Name");
});

test("when no mesh answers, the sentence names the address and the code tells scripts apart", async () => {
  const result = await run(["pods", "--admin", "127.0.0.1:1"]);
  expect(result.code).toBe(3);
  expect(result.err).toContain("127.0.0.1:1");
  // An empty variable is one that is not set.
  expect((await run(["pods"], { OSM_ADMIN: "" })).code).not.toBe(2);
});

test("who listens at the admin address and is no mesh is named as that, and who says nothing may be left waiting", async () => {
  const stop = new AbortController();
  const server = createServer(({ url }, response) => {
    if (url === "/debug/sockets") response.writeHead(404).end("<html>");
    else stop.abort();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = ["--admin", `127.0.0.1:${(server.address() as AddressInfo).port}`];
  const stranger = await run(["cert", "rotate", ...at]);
  expect(stranger).toMatchObject({ code: 3, err: expect.stringContaining("is it the admin address of a mesh?") });
  const stopped = await run(["pods", ...at], {}, stop.signal);
  expect(stopped).toMatchObject({ code: 1, err: expect.stringContaining("Stopped before") });
  server.close();
});

test("pods are a table for people and JSON for programs, found by OSM_ADMIN", async () => {
  const pod = {
    namespace: "bookstore",
    pod: "v1",
    serviceAccount: "bookstore",
    uuid: "u",
    isPodReady: false,
    reason: "no image",
    address: "10.244.0.2",
    isConnected: true,
    connectedAt: "",
    protocol: "delta",
    types: { cds: { sent: 4, acknowledged: 3 } },
  };
  const server = createServer((_request, response) => response.end(JSON.stringify([pod])));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const shown = await run(["pods"], { OSM_ADMIN: admin });
  expect(shown.out).toContain("bookstore   v1");
  expect(shown.out).toContain("3/4");
  expect(shown.err).toBe("bookstore/v1 is not ready: no image\n");
  const filtered = await run(["pods", "-n", "other", "-o", "json"], { OSM_ADMIN: admin });
  expect(JSON.parse(filtered.out)).toEqual([]);
  server.close();
});

/** What the admin port and the node's socket of a mesh answer. */
async function fakeMesh(logPath: string) {
  const root = mkdtempSync(join(tmpdir(), "osm-cli-"));
  const socket = join(root, "node.sock");
  const node = createServer((_request, response) => response.end(JSON.stringify({ path: logPath })));
  await new Promise<void>((resolve) => node.listen(socket, resolve));
  const admin = createServer((_request, response) => response.end(JSON.stringify({ control: socket, node: socket })));
  await new Promise<void>((resolve) => admin.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(admin.address() as AddressInfo).port}`;
  const close = () => {
    node.close();
    admin.close();
    rmSync(root, { recursive: true, force: true });
  };
  return { root, socket, address, close };
}

test("a log that is followed ends with the mesh, and says so", async () => {
  const root = mkdtempSync(join(tmpdir(), "osm-cli-"));
  const log = join(root, "app.log");
  writeFileSync(log, "first\n");
  const mesh = await fakeMesh(log);
  let said = "";
  const code = await runCli(["logs", "web", "-f", "--admin", mesh.address], {
    env: {},
    cwd: "/",
    write: mesh.close,
    note: (text) => {
      said += text;
    },
    isTty: false,
    signal: new AbortController().signal,
  });
  expect([code, said]).toEqual([3, expect.stringContaining("No mesh answers")]);
  rmSync(root, { recursive: true });
});

test("another user's socket is not asked what to run, whoever listens on the admin port", async (context) => {
  if (process.getuid?.() !== 0) context.skip("unobtainable: only root can give a socket to another user");
  const mesh = await fakeMesh("/etc/hostname");
  chownSync(mesh.socket, 4321, 4321);
  const at = ["--admin", mesh.address];
  for (const command of [
    ["exec", "web", ...at, "--", "true"],
    ["logs", "web", ...at],
    ["cert", "rotate", ...at],
  ]) {
    const refusal = { code: 1, out: "", err: expect.stringContaining("run this command as that user") };
    expect(await run(command)).toMatchObject(refusal);
  }
  mesh.close();
});
