import { randomUUID } from "node:crypto";
import { hasSidecar } from "../injector/mod.ts";
import type { Container, KubeObject, ObjectOrigin, Pod } from "../kube/objects.ts";
import { containerCommand, type ImageCommands, type LocalHost } from "./container-command.ts";
import type { ControlClient } from "./control-client.ts";
import { BORROWED } from "./etc-skeleton.ts";
import { LOCAL_FILE } from "./image-commands.ts";
import type { PodSetup } from "./managed-pod.ts";
import { DNS_ADDRESS } from "./network.ts";
import type { PreparedPod } from "./pod-containers.ts";
import { containerEnvironment, hostnameOf, hostsFile, resolvConf } from "./pod-environment.ts";
import { createSandbox } from "./pod-sandbox.ts";
import type { LocalService } from "./services.ts";
import { decideInjection, type InjectedPod, injectSidecar, type MeshIdentity } from "./sidecar.ts";

/** What pods have from the machine and the cluster they run in. */
export interface PodSurroundings {
  readonly mesh: MeshIdentity;
  readonly clusterDomain: string;
  readonly control: ControlClient;
  readonly host: LocalHost;
  /** PATH and the like of whoever started the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** The PATH on which this process found the tools of the operating system. */
  readonly toolPath: string;
  readonly hasEnvoy: boolean;
  readonly etcDir: string;
  readonly podsDir: string;
  readonly hiddenDirs: readonly string[];
  readonly images: () => ImageCommands;
  readonly namespace: (name: string) => KubeObject | undefined;
  /** Whether some Service sends to pods like this one. */
  readonly isServed: (pod: Pod) => boolean;
  /** Services that have an address. */
  readonly services: () => readonly (LocalService & { readonly address: string })[];
}

/** Each starts a dozen short programs. */
const SANDBOXES_AT_ONCE = 16;
const NO_ENVOY = "its sidecar needs an Envoy, of which there is none: name the binary in OSM_ENVOY and start again";

/** How one pod comes to its namespaces, its sidecar and its programs. */
export function podSetup(surroundings: PodSurroundings): PodSetup {
  const { clusterDomain, host, images } = surroundings;
  const startSandbox = atMost(SANDBOXES_AT_ONCE);
  return (pod, origin, setPod) => {
    const namespace = pod.metadata.namespace ?? "default";
    const address = pod.status?.podIP ?? "";
    const uuid = randomUUID();
    const decide = () => decideInjection(pod, surroundings.namespace(namespace), surroundings.mesh);
    return {
      obstacle() {
        const decision = decide();
        if ("denied" in decision) return decision.denied;
        if (decision.inject && !surroundings.hasEnvoy) return NO_ENVOY;
        const isInjected = decision.inject && hasSidecar(pod);
        const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
        const missing = all.find((container) => !containerCommand(container, pod, images(), host, isInjected));
        return missing === undefined ? undefined : describeMissing(missing, pod, origin);
      },
      createSandbox: () =>
        startSandbox(() =>
          createSandbox({
            id: `${namespace}.${pod.metadata.name}`,
            hostname: hostnameOf(pod),
            address,
            link: `pod${address.split(".").slice(2).join("-")}`,
            etc: surroundings.etcDir,
            podsDir: surroundings.podsDir,
            hiddenDirs: surroundings.hiddenDirs,
            hosts: hostsFile(pod, clusterDomain),
            resolvConf: resolvConf(namespace, clusterDomain, DNS_ADDRESS),
          }),
        ),
      async prepare(signal) {
        const decision = decide();
        const plain: InjectedPod = { pod, isInjected: false, envoyFiles: {} };
        if ("denied" in decision || !decision.inject) return preparedPod(surroundings, plain);
        const { wishes } = decision;
        const injected = await injectSidecar({ ...surroundings, pod, uuid, wishes, onPatched: setPod, signal });
        return preparedPod(surroundings, injected ?? plain);
      },
    };
  };
}

function preparedPod(surroundings: PodSurroundings, injected: InjectedPod): PreparedPod {
  const { pod, isInjected } = injected;
  const compose = (container: Container) =>
    containerEnvironment(container, pod, surroundings.environment, surroundings.services());
  return {
    ...injected,
    isServed: () => surroundings.isServed(pod),
    commandOf(container) {
      const { command, args } = compose(container);
      const spelled = { ...container, command, args };
      return containerCommand(spelled, pod, surroundings.images(), surroundings.host, isInjected);
    },
    environmentOf(container, user) {
      const { env } = compose(container);
      if (user.kind !== "root") return env;
      // The interception script looks for tools that a user's PATH may lack; its lock must not be the host's.
      return { ...env, PATH: surroundings.toolPath, XTABLES_LOCKFILE: `${BORROWED}/xtables.lock` };
    },
  };
}

function describeMissing({ name, image }: Container, { metadata }: Pod, origin: ObjectOrigin | undefined): string {
  const where = origin === undefined ? "" : `${origin.file}:${origin.line}: `;
  const subject = `${where}pod ${metadata.namespace ?? "default"}/${metadata.name}, container ${name}`;
  return `${subject}: nothing stands for image "${image ?? ""}"; add it to "images" in ${LOCAL_FILE}`;
}

/** Runs tasks in order of arrival, `limit` at a time. */
function atMost(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    while (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await task();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
