import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Clock, Log } from "../lib/mod.ts";
import { type Parse, watchFolder } from "../manifests/mod.ts";
import { runCommand } from "./command.ts";
import { controlClient } from "./control-client.ts";
import { type DnsServer, serveDns } from "./dns-server.ts";
import { buildEtcSkeleton } from "./etc-skeleton.ts";
import { forwardToUnixSocket } from "./forwarder.ts";
import { watchImageCommands } from "./image-commands.ts";
import { type LocalCluster, localCluster } from "./local-cluster.ts";
import { addressPool, DNS_ADDRESS, GATEWAY, replaceServiceRules, setUpHub } from "./network.ts";
import type { NodeConfig, NodeMessage } from "./node-config.ts";
import { serveNode } from "./node-server.ts";
import { podSet } from "./pod-set.ts";
import { podSetup } from "./pod-setup.ts";
import { XDS_PORT } from "./sidecar.ts";

/** Of the control plane's Service, which no manifest declares. Service addresses are allocated above 10.96.0.255. */
const CONTROLLER_ADDRESS = "10.96.0.11";
/** Programs are given this long when everything ends. */
const STOP_GRACE_MS = 2000;

const tell = (message: NodeMessage) => process.stdout.write(`${JSON.stringify(message)}\n`);

export interface NodeEdge {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Reads big manifests, best on another thread: this one answers DNS and probes. */
  readonly parse: Parse;
}

/**
 * Runs the pods: node and network of a cluster in one process. It is the first process of PID, network and mount
 * namespaces of its own, which the runner has made, so that everything below it ends with it; and it ends when its
 * standard input does. The first line of that says which process id it has on the host.
 */
export async function runNode(config: NodeConfig, { clock, random, log, parse }: NodeEdge): Promise<void> {
  tell({ type: "started" });
  // Other users than ours read what is mounted into pods.
  process.umask(0o022);
  const folders = await privateFolders(config);
  const dns = await startHub(config);
  const control = controlClient({ socketPath: config.sockets.control, clock, random, log });

  const setUp = podSetup({
    mesh: config,
    clusterDomain: config.clusterDomain,
    control,
    host: config,
    environment: config.environment,
    toolPath: process.env.PATH ?? "",
    hasEnvoy: config.envoy !== undefined,
    ...folders,
    images: () => cluster.images(),
    namespace: (name) => cluster.namespace(name),
    isServed: (pod) => cluster.isServed(pod),
    services: () => cluster.services(),
  });
  const cluster: LocalCluster = localCluster({
    pods: (onChange) =>
      podSet({
        setUp,
        addresses: addressPool(),
        nodeName: "local",
        nodeAddress: GATEWAY,
        cwd: config.dir,
        logsDir: folders.logsDir,
        clock,
        random,
        log,
        onChange,
      }),
    clusterDomain: config.clusterDomain,
    fixedServices: [{ namespace: config.osmNamespace, name: "osm-controller", clusterIp: CONTROLLER_ADDRESS }],
    clock,
    log,
    publish: control.publish,
    replaceZone: dns.replace,
    replaceRules: replaceServiceRules,
    onRejections: (rejections) => tell({ type: "rejections", rejections }),
    onSettled: () => tell({ type: "settled" }),
  });
  await watchImageCommands({
    dir: config.dir,
    clock,
    onChange: (images, problems) => cluster.setImages(images, problems),
  });
  watchFolder({
    dir: config.dir,
    source: "folder",
    clock,
    log,
    stateDir: join(config.stateDir, "node-files"),
    parse,
    onBatch: cluster.accept,
    onRejections: () => undefined,
  });

  obeyRunner(config, cluster, clock);
}

/** Folders for logs and for what pods mount. Keys of pods lie in memory alone, and nothing of it outlives this process. */
async function privateFolders({ dir, stateDir, caDir, envoy }: NodeConfig) {
  const runDir = join(stateDir, "run");
  const logsDir = join(stateDir, "pod-logs");
  await rm(logsDir, { recursive: true, force: true });
  for (const dir of [runDir, logsDir]) await mkdir(dir, { recursive: true, mode: 0o700 });
  await runCommand(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", runDir]);
  const etcDir = join(runDir, "etc");
  const podsDir = join(runDir, "pods");
  for (const dir of [etcDir, podsDir]) await mkdir(dir);
  await buildEtcSkeleton(etcDir, envoy, stateDir);
  // Made by now, so that the first pod finds nothing either. The control plane says so when it cannot be.
  await mkdir(caDir, { recursive: true, mode: 0o700 }).catch(() => undefined);
  const hiddenDirs = [runDir, caDir].filter((hidden) => !`${dir}/`.startsWith(`${hidden}/`));
  return { logsDir, etcDir, podsDir, hiddenDirs };
}

/** Makes this network namespace the pods' hub, with DNS and the way to the control plane. */
async function startHub({ sockets }: NodeConfig): Promise<DnsServer> {
  await setUpHub([DNS_ADDRESS, CONTROLLER_ADDRESS]);
  await forwardToUnixSocket({ address: CONTROLLER_ADDRESS, port: XDS_PORT, path: sockets.xds });
  return await serveDns({ address: DNS_ADDRESS, port: 53 });
}

/** Serves the private socket once the runner has said who we are on the host, and ends when it has nothing more to say. */
function obeyRunner(config: NodeConfig, cluster: LocalCluster, clock: Clock): void {
  const listen = async (line: string) => {
    const { hostPid } = JSON.parse(line) as { hostPid: number };
    const host = { pid: hostPid, isRootless: config.isRootless };
    await serveNode({ socketPath: config.sockets.node, cluster, cwd: config.dir, host });
    tell({ type: "listening" });
  };
  const stop = async () => {
    await cluster.pods.stop(STOP_GRACE_MS);
    process.exit(0);
  };
  createInterface({ input: process.stdin })
    .once("line", (line) => void listen(line))
    .once("close", () => {
      // A program that even SIGKILL does not end soon ends with the namespace.
      clock.after(STOP_GRACE_MS * 1.5, () => process.exit(1));
      void stop();
    });
}
