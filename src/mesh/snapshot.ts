import type { Rejection, Steps } from "../lib/mod.ts";
import { objectKey } from "../lib/mod.ts";
import type { AccessGrant } from "./access-policy.ts";
import { type AddressClaims, addressClaims, dependOnPods } from "./address-claims.ts";
import { keepElements, keepIfSame, keepSameValues } from "./content-equality.ts";
import { DEFAULT_SETTINGS, MESH_CONFIG_NAME } from "./default-settings.ts";
import { isModelOf, type NamespaceContext, type NamespaceModel, namespaceModel } from "./namespace-model.ts";
import { createOnce, type Once } from "./once.ts";
import { scopeRejections } from "./outbound-scope.ts";
import { comparePrecedence, compareText } from "./precedence.ts";
import type { MeshSettings, PodRecord } from "./records.ts";
import type { SplitPolicy } from "./split-policy.ts";
import { type MeshStructure, meshStructure } from "./structure.ts";
import type { Identity } from "./view.ts";
import type { ViewMemory } from "./view-memory.ts";
import { ownersAmong, type WorkloadClass } from "./workload-class.ts";
import { NO_RECORDS, recordsOf, type World } from "./world.ts";

/** Fixed for the life of a mesh. */
export interface MeshOptions {
  readonly meshName: string;
  /** OSM's own namespace, where the MeshConfig lies. */
  readonly osmNamespace: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
}

/**
 * The world at one moment, resolved. Immutable: what is read from it never changes, though work for it is done only
 * when asked for. Shares with its predecessor whatever did not change.
 */
export interface MeshSnapshot {
  /** Grows by one with each change of the world. */
  readonly generation: number;
  readonly options: MeshOptions;
  readonly settings: MeshSettings;
  /** Objects, or parts of them, that have no effect because of other objects. Sorted by object. */
  readonly rejections: readonly Rejection[];
  readonly world: World;
  /** Namespaces of the mesh, by name, in order. */
  readonly namespaces: ReadonlyMap<string, NamespaceModel>;
  readonly claims: AddressClaims;
  readonly structure: MeshStructure;
  /** By namespace, for those that have some, and by `portKey` of the apex; the same maps while none differs. */
  readonly splits: ReadonlyMap<string, SplitPolicy["byApex"]>;
  /** Of each namespace; the same list while none differs. */
  readonly grants: readonly (readonly AccessGrant[])[];
  readonly memory: ViewMemory;
  /** What was worked out for this snapshot already. */
  readonly derived: Once;
}

/** The snapshot of a world, in steps. */
export function* createSnapshot(
  world: World,
  options: MeshOptions,
  memory: ViewMemory,
  generation: number,
  previous?: MeshSnapshot,
): Steps<MeshSnapshot> {
  const { namespaces, moved } = yield* meshNamespaces(world, options, previous);
  // Most changes: whatever is put together of all namespaces would be looked through for nothing, in memory that is cold.
  if (previous !== undefined && moved?.every((change) => isSameToOthers(change, previous)) === true) {
    if (hasSameSettings(previous.world, world, options)) {
      return { ...previous, generation, world, namespaces, derived: createOnce() };
    }
  }
  const claims = yield* addressClaims(namespaces.values(), previous?.claims);
  const settings = keepIfSame(previous?.settings, settingsOf(world, options));
  yield;
  const rejections = rejectionsOf(world, namespaces, claims, memory);
  yield;
  const structure = meshStructure(settings, claims, namespaces, previous?.structure);
  const splits =
    namespaces === previous?.namespaces
      ? previous.splits
      : keepSameValues(previous?.splits, splitsOf(namespaces), Object.is);
  const grants =
    namespaces === previous?.namespaces
      ? previous.grants
      : keepElements(
          previous?.grants,
          [...namespaces.values()].map(({ access }) => access.grants),
        );
  return {
    generation,
    options,
    settings,
    rejections,
    world,
    namespaces,
    claims,
    structure,
    splits,
    grants,
    memory,
    derived: createOnce(),
  };
}

function splitsOf(namespaces: ReadonlyMap<string, NamespaceModel>): Map<string, SplitPolicy["byApex"]> {
  const found = new Map<string, SplitPolicy["byApex"]>();
  for (const { namespace, splits } of namespaces.values())
    if (splits.byApex.size > 0) found.set(namespace, splits.byApex);
  return found;
}

function settingsOf(world: World, options: MeshOptions): MeshSettings {
  const record = recordsOf(world, "MeshConfig", options.osmNamespace).get(MESH_CONFIG_NAME);
  return record?.settings ?? DEFAULT_SETTINGS;
}

/** The namespaces of the mesh; `moved` are those that differ from `previous`, where all others are known to be as before. */
interface MeshNamespaces {
  readonly namespaces: MeshSnapshot["namespaces"];
  readonly moved?: readonly MovedNamespace[];
}

interface MovedNamespace {
  readonly before: NamespaceModel;
  readonly after: NamespaceModel;
}

function* meshNamespaces(
  world: World,
  options: MeshOptions,
  previous: MeshSnapshot | undefined,
): Steps<MeshNamespaces> {
  const namespaceNames = recordsOf(world, "Namespace", "");
  const context = { clusterDomain: options.clusterDomain, namespaceNames };
  if (
    previous?.world.namespaces === world.namespaces &&
    recordsOf(previous.world, "Namespace", "") === namespaceNames
  ) {
    return yield* movedNamespaces(world, context, previous);
  }
  const models = new Map<string, NamespaceModel>();
  let isSame = true;
  for (const namespace of world.namespaces) {
    const record = namespaceNames.get(namespace);
    if (record === undefined || record.isIgnored || record.monitoredBy !== options.meshName) continue;
    const records = world.groups.get(namespace) ?? NO_RECORDS;
    const before = previous?.namespaces.get(namespace);
    const model =
      before !== undefined && isModelOf(before, records, context)
        ? before
        : yield* namespaceModel(records, namespace, context, before);
    isSame &&= model === before;
    models.set(namespace, model);
  }
  return { namespaces: isSame && previous?.namespaces.size === models.size ? previous.namespaces : models };
}

/** The same where the namespaces are those of `previous`: only those that hold other records are looked at. */
function* movedNamespaces(
  world: World,
  context: NamespaceContext,
  previous: MeshSnapshot,
): Steps<Required<MeshNamespaces>> {
  const moved: MovedNamespace[] = [];
  for (const [namespace, records] of world.groups) {
    if (previous.world.groups.get(namespace) === records) continue;
    const before = previous.namespaces.get(namespace);
    // A namespace that is not of the mesh.
    if (before === undefined) continue;
    const after = yield* namespaceModel(records, namespace, context, before);
    if (after !== before) moved.push({ before, after });
  }
  if (moved.length === 0) return { namespaces: previous.namespaces, moved };
  const namespaces = new Map(previous.namespaces);
  for (const { after } of moved) namespaces.set(after.namespace, after);
  return { namespaces, moved };
}

/**
 * Whether the rest of the mesh knows nothing of what changed in a namespace: endpoints, or its pods. Services and their
 * ports are among what claims are made of, and how splits are laid out follows from the splits.
 */
function isSameToOthers({ before, after }: MovedNamespace, { claims, namespaces }: MeshSnapshot): boolean {
  return (
    before.claiming === after.claiming &&
    (before.membership.pods === after.membership.pods || !dependOnPods(claims, namespaces.size)) &&
    before.splits.byApex === after.splits.byApex &&
    before.splits.apexesByBackend === after.splits.apexesByBackend &&
    before.access.grants === after.access.grants &&
    before.rejections === after.rejections
  );
}

function hasSameSettings(before: World, after: World, { osmNamespace }: MeshOptions): boolean {
  return recordsOf(before, "MeshConfig", osmNamespace) === recordsOf(after, "MeshConfig", osmNamespace);
}

function rejectionsOf(
  world: World,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  claims: AddressClaims,
  memory: ViewMemory,
): readonly Rejection[] {
  const inputs: (readonly Rejection[])[] = [claims.rejections, scopeRejections(world, namespaces, memory)];
  for (const model of namespaces.values()) inputs.push(model.rejections);
  return memory.rememberFor("", "rejections", inputs, () => sortedRejections(inputs.flat()));
}

function sortedRejections(rejections: Rejection[]): readonly Rejection[] {
  return rejections.sort(
    (left, right) =>
      compareText(objectKey(left), objectKey(right)) ||
      compareText(left.field, right.field) ||
      compareText(left.reason, right.reason),
  );
}

/** Whether the namespace carries this mesh's label and is not ignored. */
export function isMeshed(snapshot: MeshSnapshot, namespace: string): boolean {
  const record = recordsOf(snapshot.world, "Namespace", "").get(namespace);
  return record !== undefined && !record.isIgnored && record.monitoredBy === snapshot.options.meshName;
}

/**
 * The pod that carries the label `osm-proxy-uuid` with this value, in the mesh or not; of several the one that takes
 * precedence. With `owner` only that identity's pods are looked at, so that a label copied elsewhere takes nothing away.
 */
export function podOfProxy(snapshot: MeshSnapshot, uuid: string, owner?: Identity): PodRecord | undefined {
  if (owner !== undefined) {
    const carriers = podsByProxyUuid(snapshot, owner.namespace).get(uuid);
    return carriers?.find((pod) => pod.serviceAccount === owner.serviceAccount);
  }
  const carriers = snapshot.world.namespaces.flatMap(
    (namespace) => podsByProxyUuid(snapshot, namespace).get(uuid) ?? [],
  );
  return carriers.sort(comparePrecedence)[0];
}

function podsByProxyUuid(
  { world, memory }: MeshSnapshot,
  namespace: string,
): ReadonlyMap<string, readonly PodRecord[]> {
  const pods = recordsOf(world, "Pod", namespace);
  return memory.index(pods, () => {
    const found = new Map<string, PodRecord[]>();
    for (const pod of pods.values()) {
      if (pod.proxyUuid === undefined) continue;
      const carriers = found.get(pod.proxyUuid);
      if (carriers === undefined) found.set(pod.proxyUuid, [pod]);
      else carriers.push(pod);
    }
    for (const carriers of found.values()) carriers.sort(comparePrecedence);
    return found;
  });
}

/** The key of a pod's workload class; undefined when there is no such pod in a namespace of the mesh. */
export function classOf(snapshot: MeshSnapshot, namespace: string, pod: string): string | undefined {
  return snapshot.namespaces.get(namespace)?.workloads.classByPod.get(pod);
}

/** Whether some pod of the mesh has this identity. */
export function isIdentityUsed({ namespaces, memory }: MeshSnapshot, identity: Identity): boolean {
  const classes = namespaces.get(identity.namespace)?.workloads.classes;
  return classes !== undefined && ownersAmong(classes, memory).has(`${identity.namespace}/${identity.serviceAccount}`);
}

/** The class with this key; undefined when no pod has it. */
export function findClass(snapshot: MeshSnapshot, classKey: string): WorkloadClass | undefined {
  const namespace = classKey.slice(0, classKey.indexOf("/"));
  return snapshot.namespaces.get(namespace)?.workloads.classes.get(classKey);
}
