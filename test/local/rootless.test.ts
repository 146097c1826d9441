import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { ExecPlan, PodSummary } from "../../src/local/mod.ts";
import { askNode, folderPaths, nodeOptions, obstacle } from "./served-folder.ts";

const runner = fileURLToPath(new URL("./runner.mjs", import.meta.url));
const app = fileURLToPath(new URL("./echo-app.mjs", import.meta.url));
const NOBODY = 65534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];

const world = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: main, image: web, args: ["80"], securityContext: {runAsUser: 1500}, readinessProbe: {httpGet: {port: 80}}}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - name: main
    image: client
    readinessProbe: {exec: {command: [curl, -sf, "http://web.default/"]}, periodSeconds: 1}
`;

/** Only root can become somebody else, and needs the tools and the checkout to be there for everybody. */
function reasonToSkip(): string | undefined {
  if (obstacle !== undefined) return obstacle;
  if (process.getuid?.() !== 0) return "the other tests already run without root";
  if (spawnSync("sh", ["-c", "command -v newuidmap"]).status !== 0)
    return "newuidmap is missing: apt-get install uidmap";
  const [program = "", ...args] = [...AS_NOBODY, process.execPath, "--check", runner];
  return spawnSync(program, args).status === 0 ? undefined : "the checkout is closed to other users";
}
const skipped = reasonToSkip();

describe.skipIf(skipped !== undefined)(
  `pods of a user who is not root${skipped === undefined ? "" : ` (${skipped})`}`,
  () => {
    let child: ChildProcess | undefined;
    let root = "";
    afterEach(async () => {
      const ended = new Promise((resolve) => child?.once("close", resolve));
      child?.kill("SIGKILL");
      await ended;
      rmSync(root, { recursive: true, force: true });
    });

    test("have names, addresses and users of their own, in closed folders", async () => {
      const paths = folderPaths({
        "world.yaml": world,
        "osm.local.yaml": `images: {web: [${process.execPath}, ${app}], client: [sleep, "1000"]}\n`,
      });
      root = paths.root;
      for (const path of [paths.root, paths.dir, join(paths.dir, "world.yaml"), join(paths.dir, "osm.local.yaml")]) {
        chownSync(path, NOBODY, NOBODY);
        chmodSync(path, 0o700);
      }
      // The ranges of ids are those of a private view of /etc: nothing is written to the machine's.
      for (const name of ["subuid", "subgid"])
        writeFileSync(join(paths.root, name), `nobody:300000:65536\n`, { mode: 0o644 });
      const script = `mount --bind "$1/subuid" /etc/subuid; mount --bind "$1/subgid" /etc/subgid; shift; umask 077; exec "$@"`;
      const options = JSON.stringify(nodeOptions(paths));
      const args = ["-m", "sh", "-ec", script, "sh", paths.root, ...AS_NOBODY, process.execPath, runner, options];
      const started = spawn("unshare", args, { stdio: ["ignore", "pipe", "inherit"] });
      child = started;
      await new Promise((resolve) => started.stdout?.once("data", resolve));

      const pods = (await askNode(paths.sockets.node, "/pods")) as PodSummary[];
      expect(pods.map(({ name, isReady, reason }) => ({ name, isReady, reason }))).toEqual([
        { name: "web", isReady: true, reason: "" },
        { name: "client", isReady: true, reason: "" },
      ]);
      const uidIn = async (pod: string) => {
        const plan = (await askNode(paths.sockets.node, `/pods/default/${pod}/exec`)) as ExecPlan;
        const [program = "", ...rest] = [...AS_NOBODY, ...plan.argv, "sh", "-c", "id -u; ls"];
        return spawnSync(program, rest, { env: { ...plan.env }, cwd: plan.cwd, encoding: "utf8" }).stdout;
      };
      expect(await uidIn("client")).toBe(`${NOBODY}\nosm.local.yaml\nworld.yaml\n`);
      expect(await uidIn("web")).toBe("1500\nosm.local.yaml\nworld.yaml\n");
    });
  },
);
