import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { createAuthorityPem } from "../../src/ca/mod.ts";
import { osm, workshop } from "./program.ts";

const shop = workshop();
const dir = shop.path("manifests");
mkdirSync(dir);
shop.put("manifests/shop.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
afterAll(() => shop.close());

const ports = ["--xds", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
const state = ["--state-dir", shop.path("refused")];

async function isRefused(flags: readonly string[]) {
  const { status, stderr } = await osm("serve", dir, "--no-pods", ...flags);
  expect({ status: status !== 0 && status !== null, stderr }).toEqual({
    status: true,
    stderr: expect.stringMatching(/^osm serve: [^\n]+\n$/),
  });
  return stderr;
}

function caFolder(name: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(shop.path(name));
  for (const [file, content] of Object.entries(files)) shop.put(`${name}/${file}`, content);
  return shop.path(name);
}

test.each([
  ["a ready file that is a folder", ["--ready-file", shop.root], "ready file"],
  ["a ready file where no file can be", ["--ready-file", "/proc/osm/ready.json"], "ready file"],
  ["a state dir where no folder can be", ["--state-dir", "/proc/osm/state"], "state dir /proc/osm/state"],
  ["an address of another machine", ["--xds", "192.0.2.1:1"], "192.0.2.1:1"],
])("%s is refused with one sentence", async (_case, flags, said) => {
  expect(await isRefused([...ports, ...state, ...flags])).toContain(said);
});

test("with its standard input closed it ends where it was asked to, so that a starter that is killed leaves nothing behind", async () => {
  const { status, stderr } = await osm("serve", dir, "--no-pods", ...ports, ...state, "--end-with-stdin");
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining("rror") });
});

test("with its standard input open it serves, and ends when it is told to or when the input is closed", async () => {
  const flags = [...state, "--end-with-stdin"];
  const first = await shop.serve(dir, ...flags);
  expect(await first.stop("SIGTERM")).toMatchObject({ status: 0, stderr: "" });
  const second = await shop.serve(dir, ...flags);
  second.process.stdin?.end();
  expect(await second.ended).toMatchObject({ status: 0, stderr: "" });
  expect(existsSync(second.readyFile)).toBe(false);
});

test("whoever starts it, its heap stays small, and its process is the one that was started", async (context) => {
  if (process.platform !== "linux") context.skip("unobtainable: only Linux says what a process was started with");
  const serving = await shop.serve(dir, ...state);
  const command = readFileSync(`/proc/${serving.process.pid}/cmdline`, "utf8").split("\0");
  expect(command).toContain("--max-semi-space-size=8");
  expect(command.slice(command.indexOf("serve"))).toEqual(expect.arrayContaining(["serve", dir, "--no-pods"]));
  expect(await serving.stop("SIGTERM")).toMatchObject({ status: 0, stderr: "" });
});

test("a CA that cannot be used is refused with one sentence that names its file", async () => {
  const now = Date.now();
  const [one, other] = [await createAuthorityPem(now), await createAuthorityPem(now)];
  const certificate = { "ca.crt": one.certificatePem };
  const folders = [
    caFolder("garbage", { "ca.crt": "no PEM", "private.key": "no PEM" }),
    caFolder("mixed", { ...certificate, "private.key": other.privateKeyPem.reveal() }),
    caFolder("half", certificate),
  ];
  for (const folder of folders) expect(await isRefused([...ports, ...state, "--ca-dir", folder])).toContain(folder);
});

test("a port that is in use is refused with one sentence, and a second try with another port works", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };
  for (const flag of ["--xds", "--admin"]) {
    expect(await isRefused([...ports, ...state, flag, `127.0.0.1:${port}`])).toContain(`127.0.0.1:${port}`);
  }
  holder.close();
  const serving = await shop.serve(dir, ...state);
  expect((await serving.stop("SIGTERM")).status).toBe(0);
});

test.each(["SIGTERM", "SIGINT"] as const)("after %s nothing is left but the state dir", async (signal) => {
  // So long that the sockets lie elsewhere.
  const stateDir = shop.path(`${signal}-${"long/".repeat(30)}state`);
  const serving = await shop.serve(dir, "--state-dir", stateDir);
  expect((await serving.get("/health/ready")).status).toBe(200);
  const sockets = () => readdirSync(shop.temporary).filter((name) => name.startsWith("osm-"));
  expect(sockets()).toHaveLength(1);
  const { status, stderr } = await serving.stop(signal);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(existsSync(serving.readyFile)).toBe(false);
  expect(sockets()).toEqual([]);
});

test("a second mesh on the same state dir is refused, and the first one's ready file stays", async () => {
  const flags = ["--state-dir", shop.path("shared")];
  const first = await shop.serve(dir, ...flags);
  expect(await isRefused([...ports, ...flags, "--ready-file", first.readyFile])).toContain("--state-dir");
  expect(JSON.parse(readFileSync(first.readyFile, "utf8"))).toMatchObject({ admin: first.admin });
  await first.stop("SIGKILL");
  const next = await shop.serve(dir, ...flags);
  expect((await next.stop("SIGTERM")).status).toBe(0);
});

test("a file that breaks while nothing runs keeps saying what it said", async () => {
  const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {containers: [{name: web}]}\n";
  const flags = ["--state-dir", shop.path("kept")];
  shop.put("manifests/web.yaml", pod);
  await (await shop.serve(dir, ...flags)).stop("SIGTERM");
  shop.put("manifests/web.yaml", "kind: [");
  const again = await shop.serve(dir, ...flags);
  expect(JSON.parse((await again.get("/debug/proxies")).body)).toMatchObject([{ namespace: "shop", pod: "web" }]);
  expect(JSON.parse((await again.get("/debug/rejections")).body)).toMatchObject([{ file: "web.yaml", line: 1 }]);
  await again.stop("SIGTERM");
});

test("nobody else may look into what is kept", async () => {
  const serving = await shop.serve(dir, "--state-dir", shop.path("modes"));
  const modes = (name: string) => statSync(shop.path(`modes/${name}`)).mode & 0o777;
  expect([modes(""), modes("ca/private.key"), modes("control.sock")]).toEqual([0o700, 0o600, 0o600]);
  await serving.stop("SIGTERM");
});
