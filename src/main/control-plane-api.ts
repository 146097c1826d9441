import { connect, isIP } from "node:net";
import {
  type AdminReadModel,
  type BootstrapRequest,
  type ControlActions,
  HttpProblem,
  type MeshConfigInfo,
} from "../admin/mod.ts";
import { bootstrapFiles } from "../envoy/bootstrap.ts";
import type { ObjectEvent } from "../kube/mod.ts";
import { type HostPort, type ObjectRef, parseHostPort, type Rejection } from "../lib/mod.ts";
import { classOf, isMeshed, type MeshSettings, type PodRecord, provenance, type ResourceView } from "../mesh/mod.ts";
import { nextTurn, workInTurns } from "../platform/mod.ts";
import { TYPE_URLS, type TypeUrl } from "../xds/mod.ts";
import { rotateCertificates } from "./certificate-rotation.ts";
import { type ControlPlaneState, socketPaths } from "./control-plane-state.ts";
import { nodeRejections } from "./node-questions.ts";
import { formatHostPort } from "./options.ts";
import { proxyStatuses } from "./proxy-status.ts";

export function readModel(state: ControlPlaneState): AdminReadModel {
  const { options, intake } = state;
  const sockets = socketPaths(options.socketDir);
  return {
    version: { version: options.version, git_commit: "", build_date: "" },
    metrics: state.metrics,
    unreadyReason: () => unreadyReason(state),
    deadReason: () => deadReason(state),
    async proxies() {
      const steps = proxyStatuses({
        snapshot: intake.snapshot(),
        pods: intake.pods.pods(),
        readinessOf: intake.pods.readinessOf,
        streams: state.tracker.streams(),
        objectsOf: (pod, typeUrl, resource) => objectsOf(state, pod, typeUrl, resource),
      });
      const all = await workInTurns(steps, state.clock, () => false);
      // What is made of it takes as long again: it is not added to the last slice.
      await nextTurn();
      return all?.value ?? [];
    },
    async proxyConfig(namespace, pod) {
      const uuid = intake.pods.find(namespace, pod)?.proxyUuid;
      const table = uuid === undefined ? undefined : state.engine.tableOf(uuid);
      return table === undefined ? undefined : await state.reader.read(table);
    },
    rejections: () => allRejections(state),
    ignoredKinds: () => Object.fromEntries([...intake.ignoredKinds()].sort(([a], [b]) => (a < b ? -1 : 1))),
    meshConfig: () => meshConfigInfo(intake.snapshot().settings),
    sockets: () => ({ control: sockets.control, node: options.hasPods ? sockets.node : null }),
  };
}

/** Alive means that whoever could be served before can be served now: its xDS port takes connections. */
async function deadReason({ xds }: ControlPlaneState): Promise<string | undefined> {
  if (xds === undefined || (await isAnswered(reachable(xds.address)))) return undefined;
  return `The xDS server does not take connections on ${formatHostPort(xds.address)}`;
}

function isAnswered(address: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: DIAL_TIMEOUT_MS });
    const finish = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => finish(true));
    socket.once("timeout", () => finish(false));
    socket.once("error", () => finish(false));
  });
}

/** What has no effect in the mesh, files that cannot be read included. */
export function ownRejections({ fileRejections, intake }: ControlPlaneState): readonly Rejection[] {
  return [...fileRejections(), ...intake.rejections()];
}

/** What has no effect anywhere: workloads that cannot be made into pods are known by the node alone. */
async function allRejections(state: ControlPlaneState): Promise<readonly Rejection[]> {
  const { hasPods, socketDir } = state.options;
  return [...ownRejections(state), ...(hasPods ? await nodeRejections(socketPaths(socketDir).node) : [])];
}

function unreadyReason({ intake, xds }: ControlPlaneState): string | undefined {
  const missing = intake.missing();
  if (missing.length > 0) return `Waiting for objects from: ${missing.join(", ")}`;
  return xds === undefined ? "The xDS server does not listen yet" : undefined;
}

const DIAL_TIMEOUT_MS = 1000;

/** Views that make resources of a type; names do not repeat between them. */
const VIEW_KINDS: Readonly<Record<TypeUrl, readonly ResourceView["kind"][]>> = {
  [TYPE_URLS.cluster]: ["upstream-cluster", "local-cluster", "passthrough-cluster", "metrics-cluster"],
  [TYPE_URLS.endpoints]: ["endpoints"],
  [TYPE_URLS.listener]: ["outbound-listener", "inbound-listener", "metrics-listener"],
  [TYPE_URLS.route]: ["outbound-route", "inbound-route"],
  [TYPE_URLS.secret]: [],
};

function objectsOf(state: ControlPlaneState, pod: PodRecord, typeUrl: TypeUrl, name: string): readonly ObjectRef[] {
  const snapshot = state.intake.snapshot();
  const key = classOf(snapshot, pod.namespace, pod.name);
  if (key === undefined) return [];
  return VIEW_KINDS[typeUrl].flatMap((kind) => provenance(snapshot, key, { kind, name }));
}

function meshConfigInfo(settings: MeshSettings): MeshConfigInfo {
  return {
    settings,
    inactive: settings.inactiveFields.map((field) => ({
      field,
      reason: field.endsWith("certKeyBitSize")
        ? "ignored while spec.certificate.keyAlgorithm is ECDSA: it is the size of RSA keys"
        : "parsed, without effect in this version",
    })),
  };
}

export function controlActions(state: ControlPlaneState): ControlActions {
  const { intake, secrets } = state;
  return {
    acceptObjects: (batch) => intake.accept(batch as readonly ObjectEvent[]),
    issueCredential: async (subject) => ({ ...(await secrets.proxyCredential(subject)), caPem: secrets.rootsPem }),
    settings: () => intake.snapshot().settings,
    proxyBootstrap: (request) => proxyBootstrap(state, request),
    rotateCertificates: () => rotateCertificates(secrets, state.tracker),
  };
}

async function proxyBootstrap(
  { intake, secrets, options, xds }: ControlPlaneState,
  request: BootstrapRequest,
): Promise<Readonly<Record<string, string>> | undefined> {
  const pod = intake.pods.find(request.namespace, request.pod);
  const snapshot = intake.snapshot();
  if (pod?.proxyUuid === undefined || !isMeshed(snapshot, pod.namespace)) return undefined;
  const address = request.xds === undefined ? reachable(xds?.address) : givenAddress(request.xds);
  return bootstrapFiles({
    nodeId: pod.proxyUuid,
    cluster: `${pod.serviceAccount}.${pod.namespace}`,
    xds: { ...address, isIp: isIP(address.host) !== 0 },
    controllerSan: `osm-controller.${options.osmNamespace}.svc.${snapshot.options.clusterDomain}`,
    tls: snapshot.settings.tls,
    caPem: secrets.rootsPem,
    ...(await secrets.proxyCredential({
      uuid: pod.proxyUuid,
      namespace: pod.namespace,
      serviceAccount: pod.serviceAccount,
    })),
    directory: request.directory,
  });
}

/** An address that is listened on everywhere is dialled on loopback. */
function reachable(xds: HostPort | undefined): HostPort {
  if (xds === undefined) throw new HttpProblem(503, "The xDS server does not listen yet; try again");
  if (xds.host === "0.0.0.0") return { ...xds, host: "127.0.0.1" };
  return xds.host === "::" ? { ...xds, host: "::1" } : xds;
}

function givenAddress(text: string): HostPort {
  const address = parseHostPort(text);
  if (address === undefined) throw new HttpProblem(400, `xds is HOST:PORT, found "${text}"`);
  return address;
}
