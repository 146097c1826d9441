/** The reference server in `go-control-plane/`: built once for its sources, started on a dump of resources. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../scripts/set-up/cache-folder.mjs";
import { reasonIn, run } from "../../scripts/set-up/step.mjs";
import { killedAtExit, removedAtExit } from "../../src/fleet/at-exit.ts";
import type { MeshAuthority } from "../mesh-authority.ts";

/** The one peer that there is. */
export const PEER = "go-control-plane";

const SOURCES = fileURLToPath(new URL("./go-control-plane/", import.meta.url));

/** What a server served, so that another one can serve the same. */
export interface ResourceDump {
  /** Resources of each class of proxies; `value` is base64. */
  readonly classes: Readonly<
    Record<string, readonly { readonly typeUrl: string; readonly name: string; readonly value: string }[]>
  >;
  /** Class by node id. */
  readonly nodes: Readonly<Record<string, string>>;
}

export interface PeerStats {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly streams: number;
  readonly responses: number;
  readonly resources: number;
}

export interface PeerProcess {
  readonly xds: string;
  /** Gives a resource other content, wherever it is held. */
  put(typeUrl: string, name: string, bytes: Uint8Array): Promise<void>;
  /** Gives every resource of a type the content that it has. */
  touch(typeUrl: string): Promise<void>;
  stats(): Promise<PeerStats>;
  stop(): Promise<void>;
}

/** Path of the built program, or why there is none. */
export async function buildPeer(): Promise<{ readonly program: string } | { readonly missing: string }> {
  const version = await run("go", ["version"]);
  if (version.code !== 0) return { missing: "there is no Go toolchain: no program `go` in PATH" };
  const hash = createHash("sha256").update(version.output);
  for (const file of readdirSync(SOURCES).sort()) hash.update(`${file}\n`).update(readFileSync(join(SOURCES, file)));
  const folder = join(cacheFolder(), "peers", "go-control-plane", hash.digest("hex").slice(0, 16));
  const program = join(folder, "server");
  if (existsSync(program)) return { program };
  mkdirSync(folder, { recursive: true });
  const staged = `${program}.${process.pid}`;
  const built = await run("go", ["build", "-trimpath", "-o", staged, "."], { cwd: SOURCES });
  if (built.code !== 0) return { missing: `it cannot be built: ${reasonIn(built.output)}` };
  renameSync(staged, program);
  return { program };
}

export async function startPeer(program: string, dump: ResourceDump, authority: MeshAuthority): Promise<PeerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-peer-"));
  const remove = removedAtExit(folder);
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const { certificatePem, privateKeyPem } = await authority.server();
  const child = spawn(
    program,
    [
      ...["-dump", write("dump.json", JSON.stringify(dump)), "-ca", write("ca.pem", authority.rootsPem)],
      ...["-cert", write("cert.pem", certificatePem), "-key", write("key.pem", privateKeyPem)],
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  killedAtExit(child);
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
    remove();
  };
  try {
    const { xds, control } = JSON.parse(await firstLine(child)) as { readonly xds: string; readonly control: string };
    const ask = async (path: string, body?: Uint8Array) => {
      const answer = await fetch(
        `http://${control}${path}`,
        body === undefined ? {} : { method: "POST", body: Buffer.from(body) },
      );
      const text = await answer.text();
      if (!answer.ok) throw new Error(`the peer answers ${path} with ${answer.status}: ${text}`);
      return JSON.parse(text) as unknown;
    };
    return {
      xds,
      async put(typeUrl, name, bytes) {
        const { caches } = (await ask(`/put?${new URLSearchParams({ type: typeUrl, name })}`, bytes)) as {
          caches: number;
        };
        if (caches === 0) throw new Error(`the peer has no ${typeUrl} ${name}`);
      },
      touch: async (typeUrl) => void (await ask(`/touch?${new URLSearchParams({ type: typeUrl })}`, new Uint8Array())),
      stats: async () => (await ask("/stats")) as PeerStats,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error("the peer has no standard output");
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the peer ended with code ${code} before it served`)));
  });
}
