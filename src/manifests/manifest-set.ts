import type { ObjectOrigin } from "../kube/objects.ts";
import type { Rejection, Steps } from "../lib/mod.ts";
import type { ManifestObject, ParsedFile } from "./manifest-text.ts";

/** The object that stands under its key, and where it was read. */
export interface StandingObject {
  readonly manifest: ManifestObject;
  readonly origin: ObjectOrigin;
}
/** What became of one key since the last time. */
export type ManifestChange =
  | { readonly type: "apply"; readonly standing: StandingObject }
  | { readonly type: "delete"; readonly manifest: ManifestObject };

/** The objects of a set of files. Of two files that hold the same object, the first path in code-unit order stands. */
export interface ManifestSet {
  /** Replaces what a file says; a file that cannot be read keeps its objects and changes only its reports. */
  put(file: string, parsed: ParsedFile): void;
  remove(file: string): void;
  has(file: string): boolean;
  /**
   * What changed since the last call, ordered by file and position, in steps. Without `withDeletes` objects that are gone
   * stay, and are told by a later call unless they have come back.
   */
  takeChanges(withDeletes: boolean): Steps<readonly ManifestChange[]>;
  /** Whether deletes wait to be taken. */
  hasDeletes(): boolean;
  /** Everything that stands, in steps; counts as taken. */
  takeAll(): Steps<readonly StandingObject[]>;
  /** Grows when the reports may have changed. */
  reportVersion(): number;
  rejections(): readonly Rejection[];
}

interface FileEntry {
  readonly objects: ReadonlyMap<string, ManifestObject>;
  readonly rejections: readonly Rejection[];
}

/** Creates an empty set. */
export function createManifestSet(): ManifestSet {
  const files = new Map<string, FileEntry>();
  const claims = createClaims();
  const told = new Map<string, StandingObject>();
  const touched = new Set<string>();
  /** Of thousands of files few have reports: only they are gone through. */
  const reporting = new Set<string>();
  let version = 0;

  const replaceObjects = (file: string, entry: FileEntry) => {
    const before = files.get(file)?.objects;
    files.set(file, entry);
    for (const key of before?.keys() ?? []) {
      if (entry.objects.has(key)) continue;
      touched.add(key);
      claims.remove(key, file);
    }
    for (const [key, manifest] of entry.objects) {
      const old = before?.get(key);
      if (old?.hash === manifest.hash && old.line === manifest.line) continue;
      touched.add(key);
      claims.add(key, file);
    }
  };
  const standingOf = (key: string): StandingObject | undefined => {
    const [file] = claims.of(key);
    const manifest = file === undefined ? undefined : files.get(file)?.objects.get(key);
    return file === undefined || manifest === undefined
      ? undefined
      : { manifest, origin: { file, line: manifest.line } };
  };
  const isGone = (key: string) => standingOf(key) === undefined && told.has(key);
  const take = (key: string): readonly ManifestChange[] => {
    const standing = standingOf(key);
    const before = told.get(key);
    if (standing === undefined) {
      told.delete(key);
      return before === undefined ? [] : [{ type: "delete", manifest: before.manifest }];
    }
    told.set(key, standing);
    return before !== undefined && isSame(before, standing) ? [] : [{ type: "apply", standing }];
  };

  return {
    put(file, parsed) {
      const hadReports = reporting.has(file) || claims.isAnyContested();
      const before = files.get(file) ?? { objects: new Map(), rejections: [] };
      if (parsed.isReadable) replaceObjects(file, fileEntry(file, parsed));
      else files.set(file, { objects: before.objects, rejections: parsed.rejections });
      if ((files.get(file)?.rejections.length ?? 0) > 0) reporting.add(file);
      else reporting.delete(file);
      if (hadReports || reporting.has(file) || claims.isAnyContested()) version += 1;
    },
    remove(file) {
      const entry = files.get(file);
      if (entry === undefined) return;
      version += 1;
      files.delete(file);
      reporting.delete(file);
      for (const key of entry.objects.keys()) {
        touched.add(key);
        claims.remove(key, file);
      }
    },
    has: (file) => files.has(file),
    *takeChanges(withDeletes) {
      const changes: ManifestChange[] = [];
      for (const key of [...touched]) {
        yield;
        if (!withDeletes && isGone(key)) continue;
        touched.delete(key);
        changes.push(...take(key));
      }
      return changes.sort(byPlace);
    },
    hasDeletes: () => [...touched].some(isGone),
    *takeAll() {
      touched.clear();
      told.clear();
      for (const key of [...claims.keys()]) {
        take(key);
        yield;
      }
      return [...told.values()].sort((a, b) => comparePlaces(a.origin, b.origin));
    },
    reportVersion: () => version,
    rejections: () =>
      [
        ...[...reporting].flatMap((file) => files.get(file)?.rejections ?? []),
        ...claims.contested().flatMap((key) => duplicates(key, claims.of(key), files)),
      ].sort(comparePlaces),
  };
}

/** Which files hold which keys. */
interface Claims {
  add(key: string, file: string): void;
  remove(key: string, file: string): void;
  /** Files that hold the key, in code-unit order: what the first one says stands. */
  of(key: string): readonly string[];
  keys(): Iterable<string>;
  /** Keys that several files hold. */
  contested(): readonly string[];
  isAnyContested(): boolean;
}

function createClaims(): Claims {
  const filesByKey = new Map<string, readonly string[]>();
  const contested = new Set<string>();
  const of = (key: string) => filesByKey.get(key) ?? [];
  const set = (key: string, files: readonly string[]) => {
    if (files.length === 0) filesByKey.delete(key);
    else filesByKey.set(key, files);
    if (files.length > 1) contested.add(key);
    else contested.delete(key);
  };
  return {
    add(key, file) {
      if (!of(key).includes(file)) set(key, [...of(key), file].sort(byCodeUnits));
    },
    remove(key, file) {
      set(
        key,
        of(key).filter((other) => other !== file),
      );
    },
    of,
    keys: () => filesByKey.keys(),
    contested: () => [...contested],
    isAnyContested: () => contested.size > 0,
  };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Place = { readonly file?: string; readonly line?: number };

function comparePlaces(a: Place, b: Place): number {
  return byCodeUnits(a.file ?? "", b.file ?? "") || (a.line ?? 0) - (b.line ?? 0);
}

/** Applies by their place, then deletes. */
function byPlace(a: ManifestChange, b: ManifestChange): number {
  if (a.type === "apply" && b.type === "apply") return comparePlaces(a.standing.origin, b.standing.origin);
  return byCodeUnits(a.type, b.type);
}

function isSame(a: StandingObject, b: StandingObject): boolean {
  return a.manifest.hash === b.manifest.hash && a.origin.file === b.origin.file && a.origin.line === b.origin.line;
}

/** The objects of a file by key; a second one under the same key is reported. */
function fileEntry(file: string, parsed: ParsedFile): FileEntry {
  const objects = new Map<string, ManifestObject>();
  const rejections = [...parsed.rejections];
  for (const manifest of parsed.objects) {
    const key = manifestKey(manifest);
    const first = objects.get(key);
    if (first === undefined) objects.set(key, manifest);
    else rejections.push(duplicate(manifest, file, `line ${first.line} of the same file`));
  }
  return { objects, rejections };
}

/** Kinds of one name in two API groups are different kinds. */
function manifestKey({ apiVersion, kind, namespace, name }: ManifestObject): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return `${group}/${kind}/${namespace}/${name}`;
}

function duplicates(
  key: string,
  claiming: readonly string[],
  files: ReadonlyMap<string, FileEntry>,
): readonly Rejection[] {
  const [first, ...late] = claiming;
  return late.flatMap((file) => {
    const manifest = files.get(file)?.objects.get(key);
    return manifest === undefined ? [] : [duplicate(manifest, file, `${first}`)];
  });
}

function duplicate(manifest: ManifestObject, file: string, elsewhere: string): Rejection {
  const { kind, namespace, name, line } = manifest;
  return {
    ...{ kind, namespace, name, file, line },
    strength: "object",
    field: "metadata.name",
    reason: "duplicate-object",
    message: `${kind} ${namespace === "" ? name : `${namespace}/${name}`} is in ${elsewhere} already, which stands: remove one of them.`,
  };
}
