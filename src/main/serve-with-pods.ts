import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemClock } from "../lib/mod.ts";
import { type NodeProcess, NodeStartError, startNode } from "../local/mod.ts";
import { keepControlPlane } from "./control-plane-child.ts";
import { socketPaths } from "./control-plane-state.ts";
import { nodePods } from "./node-questions.ts";
import { type ControlPlaneOptions, StartError } from "./options.ts";
import { createRejectionLines } from "./rejection-lines.ts";
import type { RunningServe, ServeAddresses, ServeIo } from "./running-serve.ts";

const CLUSTER_DOMAIN = "cluster.local";

/** The control plane as a child, and the process that runs the pods. */
export function startParts(options: ControlPlaneOptions, io: ServeIo): RunningServe {
  const sockets = socketPaths(options.socketDir);
  const node = startPods(options, io);
  const plane = keepControlPlane(options, { clock: systemClock(), random: Math.random, ...io });
  const nodeEnded = node.ended.then((why) => {
    throw new StartError(why ?? "the pods were stopped");
  });
  const ended = Promise.race([nodeEnded, plane.serving.then(() => new Promise<never>(() => undefined))]);
  ended.catch(() => undefined);
  nodeEnded.catch(() => undefined);
  const ready = async (): Promise<ServeAddresses> => {
    const addresses = await plane.serving;
    await Promise.all([node.listening, node.settled]);
    return { ...addresses, pods: await nodePods(sockets.node, io.note) };
  };
  return {
    ready: ready(),
    admin: plane.admin,
    controlPlanePid: () => plane.pid(),
    ended,
    async stop() {
      await node.stop();
      await plane.stop();
    },
  };
}

function startPods(options: ControlPlaneOptions, io: ServeIo): NodeProcess {
  try {
    const envoy = io.env["OSM_ENVOY"];
    return startNode({
      entry: fileURLToPath(new URL("./node-process.ts", import.meta.url)),
      dir: options.dir,
      stateDir: options.stateDir,
      caDir: options.caDir,
      sockets: socketPaths(options.socketDir),
      ...(envoy === undefined || envoy === "" ? {} : { envoy }),
      healthcheckCommand: [process.execPath, fileURLToPath(new URL("./cli.ts", import.meta.url)), "healthcheck"],
      meshName: options.meshName,
      osmNamespace: options.osmNamespace,
      clusterDomain: CLUSTER_DOMAIN,
      callerEnvironment: { ...io.env },
      clock: systemClock(),
      onLog: (line) => io.note(`${line}\n`),
      onRejections: createRejectionLines((line) => io.write(`${line}\n`)),
    });
  } catch (error) {
    if (error instanceof NodeStartError) throw new StartError(error.message);
    throw error;
  }
}
