import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "./command.ts";
import { POD_ETC_FILES } from "./etc-skeleton.ts";
import { attachPod, detachPod, GATEWAY } from "./network.ts";

export interface SandboxOptions {
  /** Unique among living pods; names the pod's folder. */
  readonly id: string;
  readonly hostname: string;
  readonly address: string;
  /** Name of the hub's end of the link, at most 15 characters. */
  readonly link: string;
  /** The folder that {@link buildEtcSkeleton} filled. */
  readonly etc: string;
  /** Private folder in which each pod has one. */
  readonly podsDir: string;
  /** Folders with keys: a program that may read all that the caller may finds them empty. */
  readonly hiddenDirs: readonly string[];
  readonly hosts: string;
  readonly resolvConf: string;
}

/** What the containers of one pod share: its network, mount, UTS and PID namespaces, held by a process that only waits. */
export interface Sandbox {
  /** Process id of the holder, as this process sees it. */
  readonly pid: number;
  /** Ends with the holder, and everything in the pod with it. */
  readonly ended: Promise<void>;
  /** Gives Envoy its files in /etc/envoy, readable by `uid` alone. */
  putEnvoyFiles(files: Readonly<Record<string, string>>, uid: number): Promise<void>;
  /** Whether a process in the pod listens on TCP `port`. Found without connecting. */
  isListening(port: number): boolean;
  /** Kills everything in the pod and removes its folder. */
  destroy(): Promise<void>;
}

/**
 * Runs inside the new namespaces as their first process. File descriptor 3 is the hub's network namespace. Ignoring SIGCHLD
 * makes the kernel reap orphans. Sockets of the host's name daemons are hidden: they would answer around cluster DNS.
 */
const SETUP = `set -e
for daemon in /run/nscd /run/systemd/resolve; do
  if [ -d $daemon ]; then mount -t tmpfs tmpfs $daemon; fi
done
mount --rbind "$OSM_ETC" /etc
for file in ${POD_ETC_FILES.join(" ")}; do mount --bind "$OSM_POD/$file" /etc/$file; done
mount --bind "$OSM_POD/envoy" /etc/envoy
for dir in "$@"; do
  if [ -d "$dir" ]; then mount -t tmpfs -o mode=0755,ro tmpfs "$dir"; fi
done
ip -batch - <<COMMANDS
link set lo up
link add eth0 type veth peer name $OSM_LINK netns /proc/self/fd/3
addr add $OSM_ADDRESS/32 dev eth0
link set eth0 up
route add ${GATEWAY} dev eth0 scope link
route add default via ${GATEWAY}
COMMANDS
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
hostname "$OSM_HOSTNAME"
trap '' CHLD
echo up
exec sleep infinity 3<&- >/dev/null 2>&1
`;

/** Creates the namespaces of a pod, its files and its link to the hub. */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const dir = join(options.podsDir, options.id);
  await rm(dir, { recursive: true, force: true });
  await mkdir(join(dir, "envoy"), { recursive: true, mode: 0o755 });
  const texts = { hosts: options.hosts, "resolv.conf": options.resolvConf, hostname: `${options.hostname}\n` };
  for (const name of POD_ETC_FILES) await writeFile(join(dir, name), texts[name], { mode: 0o644 });
  const holder = startHolder(options, dir);
  const ended = new Promise<void>((resolve) => holder.once("close", () => resolve()));
  const destroy = async () => {
    holder.kill("SIGKILL");
    await ended;
    await detachPod(options.link);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await saysUp(holder);
    const pid = childOf(holder.pid ?? 0);
    if (pid === undefined) throw new Error(`the namespaces of pod ${options.id} ended before they could be used`);
    await attachPod(options.link, options.address);
    return { pid, ended, destroy, isListening: (port) => isListening(pid, port), putEnvoyFiles: putFiles(dir) };
  } catch (error) {
    await destroy();
    throw error;
  }
}

function startHolder(options: SandboxOptions, dir: string): ChildProcess {
  const hub = openSync("/proc/self/ns/net", "r");
  try {
    return spawn(
      "unshare",
      [
        "-n",
        "-m",
        "-u",
        "-p",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        SETUP,
        "sh",
        ...options.hiddenDirs,
      ],
      {
        stdio: ["ignore", "pipe", "pipe", hub],
        env: {
          PATH: process.env.PATH,
          OSM_ETC: options.etc,
          OSM_POD: dir,
          OSM_LINK: options.link,
          OSM_ADDRESS: options.address,
          OSM_HOSTNAME: options.hostname,
        },
      },
    );
  } finally {
    closeSync(hub);
  }
}

function saysUp(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let stderr = "";
    holder.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < 4096) stderr += text;
    });
    holder.stdout?.once("data", () => resolve());
    holder.once("error", reject);
    holder.once("close", (code) => reject(new CommandError(["unshare", "(pod)"], `exit code ${code}`, stderr)));
  });
}

/** The only child of `pid`, as far as it has one. */
export function childOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return child === undefined || child === "" ? undefined : Number(child);
  } catch {
    // The process is gone, and its child with it.
    return undefined;
  }
}

const LISTEN = "0A";

/** Reads the sockets of `pid`'s network namespace: proc(5), /proc/net/tcp. */
function isListening(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["tcp", "tcp6"]) {
    try {
      for (const line of readFileSync(`/proc/${pid}/net/${table}`, "utf8").split("\n")) {
        const [, local, , state] = line.trim().split(/\s+/);
        if (state === LISTEN && local?.endsWith(suffix) === true) return true;
      }
    } catch {
      // No such table without IPv6, none at all when the pod has ended.
    }
  }
  return false;
}

function putFiles(dir: string) {
  return async (files: Readonly<Record<string, string>>, uid: number) => {
    const folder = join(dir, "envoy");
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, name), content, { mode: 0o400 });
      await chown(join(folder, name), uid, uid);
    }
  };
}
