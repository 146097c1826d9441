/** What a namespace's pods see in permissive mode, where its owner has said so. A scope spares memory; it is no right. */
import { type ObjectRef, objectKey, type Rejection } from "../lib/mod.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import type { MeshSettings, NamespaceRecord, ScopeEntry } from "./records.ts";
import type { ViewMemory } from "./view-memory.ts";
import { recordsOf, type World } from "./world.ts";

/** Annotation of a Namespace: a list of `<namespace>` and `<namespace>/<service>`, with commas between. */
export const OUTBOUND_SCOPE_ANNOTATION = "openservicemesh.io/outbound-scope";

/** Services by namespace; `all` of it, or those named. */
export type OutboundScope = ReadonlyMap<string, "all" | ReadonlySet<string>>;

/** What of a snapshot decides. */
interface Scoped {
  readonly settings: MeshSettings;
  readonly world: World;
  readonly memory: ViewMemory;
}

/** Namespaces with a scope in effect. None under TrafficTargets, which are the scope there. The same map until some Namespace changes. */
export function scopedNamespaces({ settings, world, memory }: Scoped): ReadonlyMap<string, readonly ScopeEntry[]> {
  return settings.isPermissive ? scopesAmong(recordsOf(world, "Namespace", ""), memory) : NO_SCOPES;
}

const NO_SCOPES: ReadonlyMap<string, readonly ScopeEntry[]> = new Map<string, never>();

function scopesAmong(namespaces: ReadonlyMap<string, NamespaceRecord>, memory: ViewMemory) {
  return memory.index(namespaces, (): ReadonlyMap<string, readonly ScopeEntry[]> => {
    const found = new Map<string, readonly ScopeEntry[]>();
    for (const { name, outboundScope } of namespaces.values()) {
      if (outboundScope !== undefined) found.set(name, outboundScope);
    }
    return found;
  });
}

/** The scope of a namespace's pods, which takes in the namespace itself; undefined: they see everything that policies let them. */
export function scopeOf(snapshot: Scoped, namespace: string): OutboundScope | undefined {
  const entries = scopedNamespaces(snapshot).get(namespace);
  if (entries === undefined) return undefined;
  return snapshot.memory.index(entries, () => {
    const scope = new Map<string, "all" | Set<string>>();
    for (const { namespace: own, service } of entries) {
      const known = scope.get(own);
      if (service === undefined || known === "all") scope.set(own, "all");
      else if (known === undefined) scope.set(own, new Set([service]));
      else known.add(service);
    }
    return scope.set(namespace, "all");
  });
}

/** The Namespace whose annotation decides what this namespace's pods see; nothing where none does. */
export function scopeRefs(snapshot: Scoped, namespace: string): readonly ObjectRef[] {
  if (!scopedNamespaces(snapshot).has(namespace)) return [];
  const record = recordsOf(snapshot.world, "Namespace", "").get(namespace);
  return record === undefined ? [] : [record.ref];
}

/** Entries of scopes that name nothing of the mesh, whatever the mode: they wait for it, or are a slip of the pen. */
export function scopeRejections(
  world: World,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  memory: ViewMemory,
): readonly Rejection[] {
  const records = recordsOf(world, "Namespace", "");
  const scopes = scopesAmong(records, memory);
  if (scopes.size === 0) return NO_REJECTIONS;
  const inputs: unknown[] = [records];
  for (const { namespace, membership } of namespaces.values()) inputs.push(namespace, membership.services);
  return memory.rememberFor("", "scope rejections", inputs, () => {
    const found = new Map<string, Rejection>();
    for (const [name, entries] of scopes) {
      const ref = records.get(name)?.ref;
      if (ref === undefined || !namespaces.has(name)) continue;
      for (const entry of entries) {
        const missing = missingOf(entry, namespaces);
        if (missing === undefined) continue;
        const message = `There is ${missing} in the mesh, so the scope holds nothing by that name. Create it, or correct or remove the entry.`;
        const rejected = { strength: "part", field: SCOPE_FIELD, reason: "scope-missing", message } as const;
        found.set(`${objectKey(ref)} ${missing}`, { ...ref, ...rejected });
      }
    }
    return [...found.values()];
  });
}

const SCOPE_FIELD = `metadata.annotations.${OUTBOUND_SCOPE_ANNOTATION}`;
const NO_REJECTIONS: readonly Rejection[] = [];

function missingOf(
  { namespace, service }: ScopeEntry,
  namespaces: ReadonlyMap<string, NamespaceModel>,
): string | undefined {
  const model = namespaces.get(namespace);
  if (model === undefined) return `nothing of namespace "${namespace}"`;
  return service === undefined || model.services.has(service) ? undefined : `no Service "${namespace}/${service}"`;
}
