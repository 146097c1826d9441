import { callersOf, namespaceOf, type Shape, splitsOf } from "./shape.ts";
import {
  type AccountName,
  firstAddress,
  type KubeObject,
  meshConfigObject,
  meshNamespaceObject,
  namespaceName,
  podObject,
  proxyUuid,
  routeGroupObject,
  type SettingField,
  type SettingValue,
  serviceAccountObject,
  serviceName,
  serviceObject,
  sliceObject,
  strangerObject,
  strangersNamespaceObject,
  TRUST_DOMAIN,
  trafficSplitObject,
  trafficTargetObject,
  type WorldPod,
} from "./world-objects.ts";

/**
 * What changes together, and so lies in one file:
 * `slice S N`: slice N of service S and its first pod; `pod P`: a pod that is not the first of its slice;
 * `policy S`: the TrafficTarget to service S; `routes S`: its HTTPRouteGroup; `split S`: the TrafficSplit of apex S;
 * `config`: the MeshConfig;
 * `stranger N`: a pod that is not of the mesh.
 */
export type FileKey =
  | `slice ${number} ${number}`
  | `pod ${number}`
  | `policy ${number}`
  | `routes ${number}`
  | `split ${number}`
  | `stranger ${number}`
  | "config";

/** Endpoints per slice: what Kubernetes allows at most. */
const SLICE_MAX = 1000;
const STRANGERS_NAMESPACE = "unmeshed";
const FIRST_PATH = "/items";

export interface Backend {
  readonly service: number;
  readonly weight: number;
}

/**
 * The state of a cluster as a scenario changes it: one shape and one order of changes always give the same objects.
 * It knows what is in the cluster, and nothing of proxies' configuration; that is `oracle-expectation.ts`.
 */
export class World {
  readonly shape: Shape;
  isPermissive: boolean;
  /** Settings that are not what they were at first. */
  readonly settings = new Map<SettingField, SettingValue>();
  /** Callers of each service, in ascending order. */
  readonly callers: number[][];
  /** Service accounts without pods that may call a service as well. */
  readonly furtherSources = new Map<number, AccountName>();
  /** Path of the reading requests of services that do not have the first one. */
  readonly paths = new Map<number, string>();
  /** By apex. */
  readonly splits = new Map<number, readonly Backend[]>();
  /** Every pod that there ever was, as it came. */
  readonly everyPod: WorldPod[] = [];
  /** By id; undefined: gone. */
  readonly #pods: (WorldPod | undefined)[] = [];
  /** Ids of the pods of each service, by slice. */
  readonly #slices: number[][][];
  readonly #notes = new Map<number, string>();
  readonly #strangers = new Map<number, string>();

  constructor(shape: Shape) {
    this.shape = shape;
    this.isPermissive = shape.mode === "permissive";
    this.callers = callersOf(shape).map((list) => [...list]);
    for (const { apex, backends } of splitsOf(shape)) {
      const share = Math.floor(100 / backends.length);
      this.splits.set(
        apex,
        backends.map((service) => ({ service, weight: share })),
      );
    }
    this.#slices = Array.from({ length: shape.services }, () => []);
    for (let service = 0; service < shape.services; service++) {
      for (let n = 0; n < shape.pods; n++) this.addPod(service);
    }
  }

  get services(): number {
    return this.shape.services;
  }

  /** Pods that are there, by id. */
  pods(): readonly WorldPod[] {
    return this.#pods.filter((pod) => pod !== undefined);
  }

  pod(id: number): WorldPod | undefined {
    return this.#pods[id];
  }

  /** Pods of a service, in the order in which they came. */
  podsOf(service: number): readonly WorldPod[] {
    const ids = (this.#slices[service] ?? []).flat();
    return ids.flatMap((id) => this.#pods[id] ?? []);
  }

  namespace(service: number): string {
    return namespaceName(namespaceOf(this.shape, service));
  }

  account(service: number): AccountName {
    return { namespace: this.namespace(service), name: serviceName(service) };
  }

  /** What reading requests to a service begin with. */
  pathOf(service: number): string {
    return this.paths.get(service) ?? FIRST_PATH;
  }

  /** What the certificate of a workload names, as policies compare it. */
  principal({ namespace, name }: AccountName): string {
    return `${name}.${namespace}.${TRUST_DOMAIN}`;
  }

  /** A pod that was not there; the files to write. */
  addPod(service: number): { readonly pod: WorldPod; readonly files: readonly FileKey[] } {
    const id = this.#pods.length;
    const slices = this.#slices[service] ?? [];
    let slice = slices.at(-1);
    if (slice === undefined || slice.length >= SLICE_MAX) {
      slice = [];
      slices.push(slice);
    }
    const name = serviceName(service);
    const pod: WorldPod = {
      id,
      service,
      namespace: this.namespace(service),
      name: `${name}-${String(id).padStart(5, "0")}`,
      serviceAccount: name,
      uuid: proxyUuid(id),
      address: firstAddress(id),
    };
    this.#pods.push(pod);
    this.everyPod.push(pod);
    slice.push(id);
    return { pod, files: this.filesOfPod(pod) };
  }

  /** The pod ends; the first pod of a slice stays for good. */
  removePod(pod: WorldPod): readonly FileKey[] {
    const files = this.filesOfPod(pod);
    for (const slice of this.#slices[pod.service] ?? []) {
      const place = slice.indexOf(pod.id);
      if (place > 0) slice.splice(place, 1);
    }
    this.#pods[pod.id] = undefined;
    // The endpoint goes before the pod.
    return [...files].reverse();
  }

  /** The pod was started anew and has another address. */
  movePod(pod: WorldPod, address: string): readonly FileKey[] {
    this.#pods[pod.id] = { ...pod, address };
    return this.filesOfPod(pod);
  }

  /** Something about a pod's state that no mesh acts on. */
  notePod(pod: WorldPod, note: string): readonly FileKey[] {
    this.#notes.set(pod.id, note);
    return this.filesOfPod(pod).slice(0, 1);
  }

  noteStranger(n: number, note: string): readonly FileKey[] {
    this.#strangers.set(n, note);
    return [`stranger ${n}`];
  }

  /** Where the pod and its endpoint lie: the pod first, so that its endpoint is never that of an unknown pod. */
  filesOfPod(pod: WorldPod): readonly FileKey[] {
    const slices = this.#slices[pod.service] ?? [];
    const n = slices.findIndex((ids) => ids.includes(pod.id));
    const slice: FileKey = `slice ${pod.service} ${n}`;
    return slices[n]?.[0] === pod.id ? [slice] : [`pod ${pod.id}`, slice];
  }

  /** The file of each part of the world that can change. */
  fileKeys(): readonly FileKey[] {
    const keys: FileKey[] = ["config"];
    for (let service = 0; service < this.services; service++) {
      for (const [n, ids] of (this.#slices[service] ?? []).entries()) {
        keys.push(`slice ${service} ${n}`);
        for (const id of ids.slice(1)) keys.push(`pod ${id}`);
      }
      if (this.#hasPolicy(service)) keys.push(`policy ${service}`, `routes ${service}`);
    }
    for (const apex of this.splits.keys()) keys.push(`split ${apex}`);
    for (const n of this.#strangers.keys()) keys.push(`stranger ${n}`);
    return keys;
  }

  /** What the file says now; empty: there is no such file. */
  objectsOf(key: FileKey): readonly KubeObject[] {
    const [kind, first, second] = key.split(" ");
    const n = Number(first);
    switch (kind) {
      case "config":
        return [meshConfigObject(this.isPermissive, this.settings)];
      case "pod":
        return this.#podObjects(n);
      case "slice": {
        const ids = this.#slices[n]?.[Number(second)] ?? [];
        const pods = ids.flatMap((id) => this.#pods[id] ?? []);
        return [...this.#podObjects(ids[0]), sliceObject(this.namespace(n), n, Number(second), pods)];
      }
      case "policy": {
        const further = this.furtherSources.get(n);
        const sources = (this.callers[n] ?? []).map((caller) => this.account(caller));
        return [trafficTargetObject(this.namespace(n), n, further === undefined ? sources : [...sources, further])];
      }
      case "routes":
        return [routeGroupObject(this.namespace(n), n, this.pathOf(n))];
      case "split":
        return [trafficSplitObject(this.namespace(n), n, this.splits.get(n) ?? [])];
      default:
        return [strangerObject(STRANGERS_NAMESPACE, n, this.#strangers.get(n) ?? "")];
    }
  }

  /** What never changes: namespaces, accounts, Services. */
  constantObjects(): readonly KubeObject[] {
    const { namespaces, scope } = this.shape;
    const objects = Array.from({ length: namespaces }, (_, n) => meshNamespaceObject(namespaceName(n), scope));
    objects.push(strangersNamespaceObject(STRANGERS_NAMESPACE));
    for (let service = 0; service < this.services; service++) {
      const namespace = this.namespace(service);
      objects.push(serviceAccountObject(namespace, serviceName(service)), serviceObject(namespace, service));
    }
    return objects;
  }

  /** All objects, each once. */
  objects(): readonly KubeObject[] {
    return [...this.constantObjects(), ...this.fileKeys().flatMap((key) => this.objectsOf(key))];
  }

  /** Policies are written for both modes when a scenario starts in SMI mode: in permissive mode they have no effect. */
  #hasPolicy(service: number): boolean {
    return this.shape.mode === "smi" && ((this.callers[service]?.length ?? 0) > 0 || this.furtherSources.has(service));
  }

  #podObjects(id: number | undefined): readonly KubeObject[] {
    const pod = id === undefined ? undefined : this.#pods[id];
    return pod === undefined ? [] : [podObject(pod, this.#notes.get(pod.id))];
  }
}
