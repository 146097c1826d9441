import { isKubeObject, type KubeObject } from "../kube/objects.ts";
import { contentHash, type Rejection } from "../lib/mod.ts";
import { DEPTH_MAX, readYaml } from "./yaml-document.ts";

/** One object of a file, as text: cheap to move between threads, to compare and to keep. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Explicit; empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** 1-based line on which its document, or its item of a YAML list, starts. */
  readonly line: number;
  /** The object as JSON. */
  readonly json: string;
  /** Hash of `json`. */
  readonly hash: string;
}

/** What a file says. Plain data. */
export interface ParsedFile {
  /** False: the text as a whole cannot be read, `objects` is empty and what the file said last should stand. */
  readonly isReadable: boolean;
  readonly objects: readonly ManifestObject[];
  /** Documents without effect. */
  readonly rejections: readonly Rejection[];
}

/** Reports per file; one more says how many were left out. */
const REJECTIONS_MAX = 100;
/** Lists in lists. */
const LIST_DEPTH_MAX = 4;

/** Kinds without a namespace, of Kubernetes itself and of what is often found beside a mesh. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  "APIService",
  "CertificateSigningRequest",
  "ClusterIssuer",
  "ClusterRole",
  "ClusterRoleBinding",
  "CSIDriver",
  "CustomResourceDefinition",
  "FlowSchema",
  "GatewayClass",
  "IngressClass",
  "MutatingWebhookConfiguration",
  "Namespace",
  "Node",
  "PersistentVolume",
  "PriorityClass",
  "PriorityLevelConfiguration",
  "RuntimeClass",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
]);

/**
 * Reads the text of one manifest file: YAML or JSON, several documents, lists of objects. `file` is the path that reports
 * name. Pure, and never throws for any text.
 */
export function parseManifestText(text: string, file: string): ParsedFile {
  const json = parseJsonManifest(text, file);
  if (json !== undefined) return json;
  const read = readYaml(text);
  if ("message" in read) return unreadableFile(file, read.line, "syntax-error", `The text is no YAML: ${read.message}`);
  return objectsOf(read, file);
}

/** As {@link parseManifestText}; undefined when the text is not one whole JSON object or list. */
export function parseJsonManifest(text: string, file: string): ParsedFile | undefined {
  const json = parseJson(text);
  return json && objectsOf({ documents: [json], lineOf: () => undefined }, file);
}

interface Documents {
  readonly documents: readonly { readonly value: unknown; readonly line: number }[];
  readonly lineOf: (value: object) => number | undefined;
}

function objectsOf(read: Documents, file: string): ParsedFile {
  const objects: ManifestObject[] = [];
  const rejections: Rejection[] = [];
  const visit = (value: unknown, line: number, depth: number): void => {
    if (value === null || value === undefined) return;
    const items = listItems(value);
    if (items !== undefined && depth < LIST_DEPTH_MAX) {
      for (const item of items) visit(item, (isObject(item) ? read.lineOf(item) : undefined) ?? line, depth + 1);
      return;
    }
    const problem = shapeProblem(value);
    if (problem === undefined && isKubeObject(value)) objects.push(manifestObject(value, line));
    else if (problem !== undefined) rejections.push({ ...namesOf(value), file, line, strength: "object", ...problem });
  };
  for (const { value, line } of read.documents) visit(value, line, 0);
  return { isReadable: true, objects, rejections: bounded(rejections, file) };
}

/** What is said of a file that cannot be read at all. */
export function unreadableFile(file: string, line: number, reason: string, found: string): ParsedFile {
  const message = `${found}. Correct the file; until then what it said last stays in force.`;
  const names = { kind: "", namespace: "", name: "" };
  return {
    isReadable: false,
    objects: [],
    rejections: [{ ...names, file, line, strength: "object", field: "", reason, message }],
  };
}

/** The text as one JSON document, when it is one: ten times faster than reading it as YAML. */
function parseJson(text: string): { value: unknown; line: number } | undefined {
  const start = text.search(/[^\s\uFEFF]/);
  if (start < 0 || !"{[".includes(text.charAt(start))) return undefined;
  try {
    const value: unknown = JSON.parse(text.slice(start));
    return { value, line: text.slice(0, start).split("\n").length };
  } catch {
    // Flow-style YAML starts alike, and its reader names the line of what is wrong.
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The items of a `List` or of a typed list such as `PodList`, whose items need not repeat their kind. */
function listItems(value: unknown): readonly unknown[] | undefined {
  if (!isObject(value) || Array.isArray(value)) return undefined;
  const { kind, apiVersion, items } = value as { kind?: unknown; apiVersion?: unknown; items?: unknown };
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) return undefined;
  const itemKind = kind.slice(0, -"List".length);
  if (itemKind === "") return items;
  return items.map((item: unknown) =>
    isObject(item) && !Array.isArray(item) && !("kind" in item) ? { apiVersion, kind: itemKind, ...item } : item,
  );
}

/** Why a document is no object, if it is none. */
function shapeProblem(value: unknown): Pick<Rejection, "field" | "reason" | "message"> | undefined {
  if (!isObject(value) || Array.isArray(value)) {
    const message = `The document is ${Array.isArray(value) ? "a list" : `a ${typeof value}`}, not a Kubernetes object.`;
    return { field: "", reason: "not-an-object", message };
  }
  const { apiVersion, kind, metadata } = value as Record<string, unknown>;
  const name = isObject(metadata) ? (metadata as { name?: unknown }).name : undefined;
  const namespace = isObject(metadata) ? ((metadata as { namespace?: unknown }).namespace ?? "") : "";
  const fields = { apiVersion, kind, "metadata.name": name };
  for (const [field, text] of Object.entries(fields)) {
    if (typeof text === "string" && text !== "") continue;
    const found = text === undefined || text === "" ? "missing" : "no text";
    return { field, reason: "field-required", message: `${field} is ${found}: every object needs it.` };
  }
  if (typeof namespace !== "string") {
    return { field: "metadata.namespace", reason: "field-type", message: "metadata.namespace is no text: quote it." };
  }
  if (!isShallow(value)) {
    return { field: "", reason: "nesting-too-deep", message: `The object nests deeper than ${DEPTH_MAX} levels.` };
  }
  return undefined;
}

/** Whether the value nests no deeper than whoever walks it can take. JSON that aliases made is bounded by its reader. */
function isShallow(value: object, levels = DEPTH_MAX): boolean {
  // A loop, as this is a third of what it takes to read a list of endpoints.
  for (const child of Array.isArray(value) ? (value as readonly unknown[]) : Object.values(value)) {
    if (levels === 1 || (isObject(child) && !isShallow(child, levels - 1))) return false;
  }
  return true;
}

function namesOf(value: unknown): Pick<Rejection, "kind" | "namespace" | "name"> {
  const text = (field: unknown) => (typeof field === "string" ? field.slice(0, 253) : "");
  const { kind, metadata } = (isObject(value) ? value : {}) as Record<string, unknown>;
  const { namespace, name } = (isObject(metadata) ? metadata : {}) as Record<string, unknown>;
  return { kind: text(kind), namespace: text(namespace), name: text(name) };
}

function manifestObject(object: KubeObject, line: number): ManifestObject {
  const { apiVersion, kind, metadata } = object;
  const isClusterScoped = CLUSTER_SCOPED.has(kind);
  const namespace = isClusterScoped ? "" : metadata.namespace || "default";
  const { namespace: _written, ...rest } = metadata;
  const json = JSON.stringify({ ...object, metadata: isClusterScoped ? rest : { ...rest, namespace } });
  return { apiVersion, kind, namespace, name: metadata.name, line, json, hash: contentHash(json) };
}

function bounded(rejections: readonly Rejection[], file: string): readonly Rejection[] {
  const left = rejections.length - REJECTIONS_MAX;
  const first = rejections[REJECTIONS_MAX];
  if (left <= 0 || first === undefined) return rejections;
  const message = `${left} more documents of ${file} have no effect; correct those above first.`;
  return [...rejections.slice(0, REJECTIONS_MAX), { ...first, field: "", reason: "more-rejections", message }];
}
