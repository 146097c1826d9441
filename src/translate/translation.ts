import type { KubeObject, ObjectEvent, ObjectOrigin } from "../kube/objects.ts";
import { finish, type Rejection, type Steps } from "../lib/mod.ts";
import type { MeshRecord, RecordChange } from "../mesh/mod.ts";
import { type KnownKind, roleOf, splitApiVersion } from "./kinds.ts";
import { refOf, type Translated } from "./object-names.ts";

export interface TranslationOptions {
  readonly meshName: string;
  readonly osmNamespace: string;
}

/** Turns what sources of objects say into changes of records. One owner calls it, batch by batch. */
export interface Translation {
  /** Applies a batch. At most one change per record comes back, in the order in which records were first touched. */
  apply(events: readonly ObjectEvent[]): readonly RecordChange[];
  /** The same in steps of an object each. Nothing else may be applied before the last of them. */
  applyInSteps(events: readonly ObjectEvent[]): Steps<readonly RecordChange[]>;
  /** Objects and parts of objects without effect, of all objects that are there now, in the order of their keys. */
  rejections(): readonly Rejection[];
  /** How many objects of kinds that mean nothing to the mesh are there now. */
  ignoredKinds(): ReadonlyMap<string, number>;
}

/** What one source says about one key. */
interface Claim {
  readonly source: string;
  /** Undefined: nothing that the mesh knows. */
  readonly translated?: Translated;
  /** The object's kind when it is to be counted as ignored. */
  readonly ignoredKind?: string;
}

/** One object's key and all claims to it, by the names of their sources: whoever spoke first, the same one stands. */
interface Entry {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly claims: readonly Claim[];
}

/** A change's target before and after a batch. */
type Touched = Map<string, MeshRecord | undefined>;

/** Creates a translation that has seen nothing. */
export function createTranslation(options: TranslationOptions): Translation {
  const entries = new Map<string, Entry>();
  const keysBySource = new Map<string, Set<string>>();
  /** Keys that may have rejections: few of all, so that asking for them costs little. */
  const doubtful = new Set<string>();

  const setClaims = (key: string, entry: Entry, touched: Touched) => {
    if (!touched.has(key)) touched.set(key, standing(entries.get(key))?.translated?.record);
    if (entry.claims.length === 0) entries.delete(key);
    else entries.set(key, entry);
    if (entry.claims.length > 1 || (entry.claims[0]?.translated?.rejections.length ?? 0) > 0) doubtful.add(key);
    else doubtful.delete(key);
  };
  const put = (source: string, object: KubeObject, origin: ObjectOrigin | undefined, touched: Touched) => {
    const { kind, namespace, name } = refOf(object);
    const key = keyFor(object.apiVersion, kind, namespace, name);
    const before = entries.get(key)?.claims ?? [];
    const position = before.findIndex((other) => other.source === source);
    const claim = keepSettings(before[position], claimOf(source, object, origin, options.osmNamespace));
    const claims = position < 0 ? [...before, claim].sort(bySource) : before.with(position, claim);
    setClaims(key, { kind, namespace, name, claims }, touched);
    const keys = keysBySource.get(source) ?? new Set<string>();
    keysBySource.set(source, keys.add(key));
    return key;
  };
  const remove = (source: string, key: string, touched: Touched) => {
    const entry = entries.get(key);
    const keys = keysBySource.get(source);
    if (entry === undefined || keys?.delete(key) !== true) return;
    if (keys.size === 0) keysBySource.delete(source);
    setClaims(key, { ...entry, claims: entry.claims.filter((claim) => claim.source !== source) }, touched);
  };
  function* applyEvent(event: ObjectEvent, touched: Touched): Steps<void> {
    if (event.type === "apply") {
      put(event.source, event.object, event.origin, touched);
    } else if (event.type === "delete") {
      remove(event.source, keyFor(event.apiVersion, event.kind, event.namespace, event.name), touched);
    } else {
      const kept = new Set<string>();
      for (const { object, origin } of event.objects) {
        kept.add(put(event.source, object, origin, touched));
        yield;
      }
      for (const key of [...(keysBySource.get(event.source) ?? [])]) {
        if (!kept.has(key)) remove(event.source, key, touched);
        yield;
      }
    }
  }
  function* applyInSteps(events: readonly ObjectEvent[]): Steps<readonly RecordChange[]> {
    const touched: Touched = new Map();
    for (const event of events) {
      yield* applyEvent(event, touched);
      yield;
    }
    const changes: RecordChange[] = [];
    for (const [key, before] of touched) {
      const change = changeOf(before, standing(entries.get(key))?.translated?.record);
      if (change !== undefined) changes.push(change);
      yield;
    }
    return changes;
  }

  return {
    apply: (events) => finish(applyInSteps(events)),
    applyInSteps,
    rejections: () =>
      [...doubtful].sort().flatMap((key) => {
        const entry = entries.get(key);
        return entry === undefined ? [] : rejectionsOf(entry);
      }),
    ignoredKinds() {
      const counts = new Map<string, number>();
      for (const entry of entries.values()) {
        const kind = standing(entry)?.ignoredKind;
        if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
      return counts;
    },
  };
}

function bySource(a: Claim, b: Claim): number {
  return a.source < b.source ? -1 : 1;
}

function standing(entry: Entry | undefined): Claim | undefined {
  return entry?.claims[0];
}

function changeOf(before: MeshRecord | undefined, after: MeshRecord | undefined): RecordChange | undefined {
  if (after !== undefined) return { type: "put", record: after };
  if (before === undefined) return undefined;
  const { kind, namespace, name } = before.ref;
  return { type: "remove", kind: before.kind, namespace: kind === "Namespace" ? "" : namespace, name };
}

/** Kinds of one name in two API groups are different kinds, and so is one that lacks its group by mistake. */
function keyFor(apiVersion: string | undefined, kind: string, namespace: string, name: string): string {
  const { group } = splitApiVersion(apiVersion ?? "");
  const role = roleOf(group, kind);
  const isOwn = apiVersion === undefined || (typeof role === "object" && role.group === group);
  return `${isOwn ? "" : group || "core"}/${kind}/${namespace}/${name}`;
}

function claimOf(source: string, object: KubeObject, origin: ObjectOrigin | undefined, osmNamespace: string): Claim {
  const { group, version } = splitApiVersion(object.apiVersion);
  const role = roleOf(group, object.kind);
  if (role === "workload") return { source };
  if (role === "ignored") return { source, ignoredKind: object.kind };
  if (role.group !== group || !role.versions.includes(version)) {
    return { source, translated: { rejections: [versionRejection(object, origin, role)] } };
  }
  return { source, translated: role.translate(object, origin, osmNamespace) };
}

/**
 * An edit that breaks the MeshConfig leaves its last valid state in force, as the API server would by refusing the edit:
 * without it the mesh would fall back to the chart's defaults, which let everybody call everybody.
 */
function keepSettings(before: Claim | undefined, after: Claim): Claim {
  const record = before?.translated?.record;
  if (record?.kind !== "MeshConfig" || after.translated === undefined || after.translated.record !== undefined)
    return after;
  return { ...after, translated: { ...after.translated, record } };
}

function versionRejection(object: KubeObject, origin: ObjectOrigin | undefined, role: KnownKind): Rejection {
  const prefix = role.group === "" ? "" : `${role.group}/`;
  const served = role.versions.map((version) => `${prefix}${version}`).reverse();
  return {
    ...refOf(object, origin),
    strength: "object",
    field: "apiVersion",
    reason: "version-not-served",
    message: `apiVersion is ${object.apiVersion.slice(0, 100)}, which is not served: use ${served.join(" or ")}.`,
  };
}

/** Those of the claim that stands, and one for each of the others. */
function rejectionsOf(entry: Entry): readonly Rejection[] {
  const [first, ...late] = entry.claims;
  if (first?.translated === undefined) return [];
  return [
    ...first.translated.rejections,
    ...late.map((claim): Rejection => {
      const ref = claim.translated?.record?.ref ?? claim.translated?.rejections[0];
      const { kind, namespace, name } = entry;
      return {
        ...(ref === undefined ? { kind, namespace, name } : refFields(ref)),
        strength: "object",
        field: "metadata.name",
        reason: "duplicate-object",
        message: `${kind} ${namespace}/${name} comes from ${first.source} already, so this one (from ${claim.source}) has no effect: rename or remove it.`,
      };
    }),
  ];
}

function refFields({ kind, namespace, name, file, line }: Rejection | MeshRecord["ref"]) {
  return {
    kind,
    namespace,
    name,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
  };
}
