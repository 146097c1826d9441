import { sidecarPorts } from "../injector/mod.ts";
import type { Container, Pod } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import type { RunningContainer } from "./container.ts";
import { runContainer } from "./container.ts";
import type { ContainerCommand } from "./container-command.ts";
import { openContainerLog } from "./container-log.ts";
import type { ProcessUser } from "./container-process.ts";
import { pause } from "./pause.ts";
import type { Sandbox } from "./pod-sandbox.ts";

/** A pod as it is to run: the sidecar is in it, and every container has a command. */
export interface PreparedPod {
  readonly pod: Pod;
  readonly isInjected: boolean;
  /** Files of /etc/envoy. */
  readonly envoyFiles: Readonly<Record<string, string>>;
  readonly commandOf: (container: Container) => ContainerCommand | undefined;
  /** Whether some Service sends to it, so that its proxy has an inbound side. */
  readonly isServed: () => boolean;
  readonly environmentOf: (container: Container, user: ProcessUser) => Readonly<Record<string, string>>;
}

export interface LaunchOptions {
  readonly pod: PreparedPod;
  readonly sandbox: Sandbox;
  readonly address: string;
  readonly cwd: string;
  readonly logPath: (container: string) => string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onChange: () => void;
}

/** A container of a pod, and who it runs as. */
export interface LaunchedContainer {
  readonly name: string;
  readonly role: ContainerCommand["role"];
  readonly command: ContainerCommand;
  readonly env: Readonly<Record<string, string>>;
  readonly container: RunningContainer;
}

const DEFAULT_GRACE_SECONDS = 30;
const INBOUND_WAIT_MS = 3000;

/** Starts `container` of a pod. One that initializes the pod has no probes and runs until it has succeeded once. */
export function launchContainer(options: LaunchOptions, container: Container, isInit: boolean): LaunchedContainer {
  const { pod, sandbox, clock } = options;
  const command = pod.commandOf(container);
  if (command === undefined) throw new Error(`nothing stands for image "${container.image ?? ""}" any more`);
  const { role, user, argv } = command;
  const env = pod.environmentOf(container, user);
  const uid = user.kind === "user" ? user.uid : (process.getuid?.() ?? 0);
  const running = runContainer({
    container: isInit ? { name: container.name } : container,
    argv,
    env,
    cwd: options.cwd,
    user,
    sandboxPid: sandbox.pid,
    address: options.address,
    log: openContainerLog(options.logPath(container.name), uid),
    clock,
    random: options.random,
    restartPolicy: restartPolicyOf(pod.pod, isInit),
    graceMs: graceMsOf(pod.pod),
    ...(role === "envoy" ? { isServing: proxyServing(sandbox, pod, clock) } : {}),
    onChange: options.onChange,
  });
  return { name: container.name, role, command, env, container: running };
}

/**
 * Whether the proxy has its listeners. One that no Service sends to has none inbound; should the control plane see that
 * differently, nobody waits longer than {@link INBOUND_WAIT_MS}.
 */
function proxyServing(sandbox: Sandbox, pod: PreparedPod, clock: Clock): () => boolean {
  let outboundSinceMs: number | undefined;
  return () => {
    if (!sandbox.isListening(sidecarPorts.outbound)) {
      outboundSinceMs = undefined;
      return false;
    }
    outboundSinceMs ??= clock.monotonic();
    const isPatient = pod.isServed() && clock.monotonic() - outboundSinceMs < INBOUND_WAIT_MS;
    return !isPatient || sandbox.isListening(sidecarPorts.inbound);
  };
}

/** How long the programs of a pod may take to end, in milliseconds. */
export function graceMsOf(pod: Pod | undefined): number {
  return (pod?.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000;
}

function restartPolicyOf(pod: Pod, isInit: boolean): "Always" | "OnFailure" | "Never" {
  const { restartPolicy } = pod.spec;
  if (isInit) return restartPolicy === "Never" ? "Never" : "OnFailure";
  return restartPolicy === "Never" || restartPolicy === "OnFailure" ? restartPolicy : "Always";
}

/** Ends containers: SIGTERM, and SIGKILL after `graceMs`. */
export async function endAll(running: readonly LaunchedContainer[], graceMs: number): Promise<void> {
  await Promise.all(running.map(({ container }) => container.stop(graceMs)));
}

const INIT_CHECK_MS = 5;

/** Whether an init container has completed; false when it failed for good or the pod is stopped. */
export async function initEnd(clock: Clock, signal: AbortSignal, state: RunningContainer["state"]): Promise<boolean> {
  while (!signal.aborted) {
    const { phase } = state();
    if (phase === "completed") return true;
    if (phase === "failed") return false;
    await pause(clock, INIT_CHECK_MS, signal);
  }
  return false;
}
