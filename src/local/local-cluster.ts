import type { KubeObject, ObjectEvent, Pod, SourcedObject } from "../kube/objects.ts";
import type { Clock, Log, Rejection } from "../lib/mod.ts";
import { canonicalJson, objectKey } from "../lib/mod.ts";
import { allocateClusterIps } from "./cluster-ips.ts";
import type { ImageCommands } from "./container-command.ts";
import { type DnsZone, dnsZone } from "./dns-zone.ts";
import { endpointSlicesOf } from "./endpoint-slices.ts";
import { podObjects } from "./managed-pod.ts";
import { pause } from "./pause.ts";
import { shortHash } from "./pod-names.ts";
import type { PodSet } from "./pod-set.ts";
import { namedServices, readyEndpoints, routedServices } from "./service-endpoints.ts";
import { serviceRules } from "./service-rules.ts";
import { isSelected, type LocalService, readService } from "./services.ts";
import { isWorkload, readWorkload, type Workload } from "./workloads.ts";

export interface LocalClusterOptions {
  readonly pods: (onChange: () => void) => PodSet;
  readonly clusterDomain: string;
  /** Services that are there without a manifest: the control plane's own. */
  readonly fixedServices: readonly { readonly namespace: string; readonly name: string; readonly clusterIp: string }[];
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: (objects: readonly SourcedObject[]) => void;
  readonly replaceZone: (zone: DnsZone) => void;
  readonly replaceRules: (rules: string) => Promise<void>;
  /** Hears what has no effect whenever that has changed. */
  readonly onRejections: (rejections: readonly Rejection[]) => void;
  /** Called once, when every pod is ready or has been named as unable to be. */
  readonly onSettled: () => void;
}

/**
 * What controllers, scheduler and kube-proxy are in a cluster: turns the objects of a folder into pods, endpoints, names and
 * routes, and tells the control plane what there is.
 */
export interface LocalCluster {
  accept(events: readonly ObjectEvent[]): void;
  /** `problems`: what has no effect of the file that says so. */
  setImages(images: ImageCommands, problems: readonly Rejection[]): void;
  images(): ImageCommands;
  namespace(name: string): KubeObject | undefined;
  /** Whether some Service sends to pods like this one. */
  isServed(pod: Pod): boolean;
  /** Those that have a cluster IP. */
  services(): readonly (LocalService & { readonly address: string })[];
  rejections(): readonly Rejection[];
  pods: PodSet;
}

/** How long changes are gathered before they are acted on. */
const GATHER_MS = 2;
const SETTLED_CHECK_MS = 1000;
const RULES_RETRY_MS = 1000;

export function localCluster(options: LocalClusterOptions): LocalCluster {
  const { clock } = options;
  const objects = new Map<string, SourcedObject>();
  const replaceRules = rulesWriter(options);
  let images: ImageCommands = new Map();
  let imageProblems: readonly Rejection[] = [];
  let told = "[]";
  let folder: Folder = { services: [], clusterIps: new Map(), workloads: [], rejections: [] };
  let isLoaded = false;
  let isSettled = false;
  let isScheduled = false;

  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    clock.after(GATHER_MS, () => {
      isScheduled = false;
      if (isLoaded) step();
    });
  };
  const pods = options.pods(schedule);

  const reread = () => {
    folder = readFolder([...objects.values()], folder.clusterIps, images);
    pods.setWorkloads(folder.workloads);
    tellRejections();
    schedule();
  };
  const rejections = () => [...imageProblems, ...folder.rejections];
  const tellRejections = () => {
    const all = canonicalJson(rejections());
    if (all !== told) options.onRejections(rejections());
    told = all;
  };
  const step = () => {
    pods.reconcile();
    replaceRules(publishWorld(options, [...objects.values()], folder, pods));
    if (!isSettled && pods.isSettled()) {
      isSettled = true;
      options.onSettled();
    }
  };
  const recheck = () => {
    if (isSettled) return;
    schedule();
    clock.after(SETTLED_CHECK_MS, recheck);
  };
  recheck();
  return {
    pods,
    accept(events) {
      for (const event of events) acceptEvent(objects, event);
      isLoaded = true;
      reread();
    },
    setImages(next, problems) {
      images = next;
      imageProblems = problems;
      reread();
    },
    images: () => images,
    namespace: (name) => objects.get(objectKey({ kind: "Namespace", namespace: "", name }))?.object,
    isServed: ({ metadata }) =>
      folder.services.some(
        ({ namespace, selector }) =>
          selector !== undefined && namespace === metadata.namespace && isSelected(selector, metadata.labels),
      ),
    services: () =>
      folder.services.flatMap((service) => {
        const address = folder.clusterIps.get(`${service.namespace}/${service.name}`);
        return address === undefined ? [] : [{ ...service, address }];
      }),
    rejections,
  };
}

/** What the objects of the folder ask for. */
interface Folder {
  readonly services: readonly LocalService[];
  /** By `<namespace>/<name>` of the Service. */
  readonly clusterIps: ReadonlyMap<string, string>;
  readonly workloads: readonly Workload[];
  readonly rejections: readonly Rejection[];
}

function readFolder(
  objects: readonly SourcedObject[],
  clusterIps: ReadonlyMap<string, string>,
  images: ImageCommands,
): Folder {
  const read = objects
    .filter(({ object }) => isWorkload(object))
    .map(({ object, origin }) => readWorkload(object, origin));
  const services = objects.flatMap(({ object }) => (object.kind === "Service" ? (readService(object) ?? []) : []));
  return {
    services,
    clusterIps: allocateClusterIps(services, clusterIps),
    workloads: read.flatMap(({ workload }) => (workload === undefined ? [] : [withImages(workload, images)])),
    rejections: read.flatMap(({ rejections }) => rejections),
  };
}

/** Tells control plane and DNS what there is; returns the rules by which cluster IPs lead to it. */
function publishWorld(
  options: LocalClusterOptions,
  objects: readonly SourcedObject[],
  { services, clusterIps }: Folder,
  pods: PodSet,
): string {
  const podList = podObjects(pods.pods());
  const derived = services.flatMap((service) =>
    endpointSlicesOf(
      service,
      podList.map(({ object }) => object),
    ),
  );
  options.publish([...podList, ...servicesWithAddress(objects, clusterIps), ...derived.map((object) => ({ object }))]);
  const endpoints = readyEndpoints([...derived, ...objects.map(({ object }) => object)]);
  const fixed = options.fixedServices.map((service) => ({ ...service, endpoints: [] }));
  options.replaceZone(dnsZone([...fixed, ...namedServices(services, clusterIps, endpoints)], options.clusterDomain));
  return serviceRules(routedServices(services, clusterIps, endpoints));
}

/** Puts rules in force one set after the other, the newest as often as it takes; those in force are left alone. */
function rulesWriter({ clock, log, replaceRules }: LocalClusterOptions): (rules: string) => void {
  let wanted = "";
  let inForce = "";
  let isWriting = false;
  const write = async () => {
    isWriting = true;
    while (wanted !== inForce) {
      const rules = wanted;
      try {
        await replaceRules(rules);
        inForce = rules;
      } catch (error) {
        log.error("cluster IPs could not be updated", { error: String(error) });
        await pause(clock, RULES_RETRY_MS);
      }
    }
    isWriting = false;
  };
  return (rules) => {
    wanted = rules;
    if (!isWriting) void write();
  };
}

function acceptEvent(objects: Map<string, SourcedObject>, event: ObjectEvent): void {
  if (event.type === "delete") {
    objects.delete(objectKey(event));
    return;
  }
  if (event.type === "reset") objects.clear();
  for (const { object, origin } of event.type === "reset" ? event.objects : [event]) {
    const { kind, metadata } = object;
    const key = objectKey({ kind, namespace: metadata.namespace ?? "", name: metadata.name });
    objects.set(key, origin === undefined ? { object } : { object, origin });
  }
}

/** What stands for its images is part of what a pod runs: with another program it is another template. */
function withImages(workload: Workload, images: ImageCommands): Workload {
  const { containers, initContainers } = workload.template.spec;
  const used = [...containers, ...(initContainers ?? [])].map(({ image }) => images.get(image ?? "") ?? null);
  return { ...workload, templateHash: shortHash(`${workload.templateHash}${canonicalJson(used)}`, 10) };
}

function servicesWithAddress(
  objects: Iterable<SourcedObject>,
  clusterIps: ReadonlyMap<string, string>,
): SourcedObject[] {
  const found: SourcedObject[] = [];
  for (const { object, origin } of objects) {
    if (object.kind !== "Service") continue;
    const clusterIP = clusterIps.get(`${object.metadata.namespace ?? "default"}/${object.metadata.name}`);
    const spec = {
      ...(object.spec as object),
      ...(clusterIP === undefined ? {} : { clusterIP, clusterIPs: [clusterIP] }),
    };
    found.push({ object: { ...object, spec }, ...(origin === undefined ? {} : { origin }) });
  }
  return found;
}
