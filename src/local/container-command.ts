import { sidecarNames } from "../injector/mod.ts";
import type { Container, Pod } from "../kube/objects.ts";
import type { ProcessUser } from "./container-process.ts";
import { POD_ENVOY } from "./etc-skeleton.ts";

/** What stands for container images here: program and first arguments, by image as a manifest writes it. */
export type ImageCommands = ReadonlyMap<string, readonly string[]>;

/** Who runs the pods, and what stands for the images that the sidecar brings along. */
export interface LocalHost {
  readonly caller: { readonly uid: number; readonly gid: number };
  /** Runs `osm healthcheck`, which stands for OSM's image of it. */
  readonly healthcheckCommand: readonly string[];
}

export interface ContainerCommand {
  readonly argv: readonly string[];
  readonly user: ProcessUser;
  readonly role: "app" | "envoy" | "sidecar";
}

/**
 * One worker thread, since the machine is shared by all pods; no hot restart, whose shared memory is keyed by a number
 * that Envoys on one machine would have to agree on.
 */
const ENVOY_LOCAL_ARGS = ["--concurrency", "1", "--disable-hot-restart"];

/** The program that stands for a container, or undefined when nothing says what stands for its image. */
export function containerCommand(
  container: Container,
  pod: Pod,
  images: ImageCommands,
  host: LocalHost,
  isInjected: boolean,
): ContainerCommand | undefined {
  const args = container.args ?? [];
  if (isInjected && container.name === sidecarNames.init) {
    return { argv: [...(container.command ?? []), ...args], user: { kind: "root" }, role: "sidecar" };
  }
  if (isInjected && container.name === sidecarNames.envoy) {
    const uid = container.securityContext?.runAsUser ?? 0;
    const user: ProcessUser = { kind: "user", uid, gid: uid, mayReadAll: false };
    return { argv: [POD_ENVOY, ...args, ...ENVOY_LOCAL_ARGS], user, role: "envoy" };
  }
  const caller: ProcessUser = { kind: "caller", ...host.caller };
  if (isInjected && container.name === sidecarNames.healthcheck) {
    return { argv: [...host.healthcheckCommand, ...args], user: caller, role: "sidecar" };
  }
  const program = images.get(container.image ?? "");
  if (program === undefined) return undefined;
  const uid = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const gid = container.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup ?? uid ?? 0;
  const user: ProcessUser = uid === undefined ? caller : { kind: "user", uid, gid, mayReadAll: true };
  return { argv: [...program, ...args], user, role: "app" };
}
