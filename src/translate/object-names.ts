import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { ObjectRef, Rejection } from "../lib/mod.ts";
import type { MeshRecord } from "../mesh/mod.ts";
import {
  type Field,
  member,
  memberAt,
  type Problem,
  readString,
  reject,
  rejectPart,
  rootField,
  shown,
} from "./field.ts";

/** What one object means to the mesh: a record unless some problem takes all effect from it. */
export interface Translated<R extends MeshRecord = MeshRecord> {
  readonly record?: R;
  readonly rejections: readonly Rejection[];
}

/** What every record starts with. */
export interface ObjectBase {
  readonly ref: ObjectRef;
  readonly createdAt: number;
  readonly namespace: string;
  readonly name: string;
}

/** DNS-1123, as the API server checks `metadata.name` (Kubernetes documentation, "Object Names and IDs"). */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether `name` may name a Namespace, a Service or a container port's service. */
export function isDnsLabel(name: string): boolean {
  return LABEL.test(name);
}

/** Whether `name` may name most other objects. */
function isDnsSubdomain(name: string): boolean {
  return SUBDOMAIN.test(name);
}

/** A name within a Service, empty when there is none; what cannot be one has no effect. */
export function readHostname(field: Field): string {
  const name = readString(field) ?? "";
  if (name === "" || isDnsLabel(name)) return name;
  rejectPart(
    field,
    "name-invalid",
    `${field.path} is ${shown(name)}: use at most 63 lower-case letters, digits and -.`,
  );
  return "";
}

/** Names the object, with file and line when it came from a folder. */
export function refOf(object: KubeObject, origin?: ObjectOrigin): ObjectRef {
  const namespace = object.kind === "Namespace" ? "" : (object.metadata.namespace ?? "default");
  return { kind: object.kind, namespace, name: object.metadata.name, ...origin };
}

/**
 * Runs one kind's reading over the object: checks what all kinds share, and lets no record through when the object has
 * a problem of strength `object`.
 */
export function translateWith<R extends MeshRecord>(
  object: KubeObject,
  origin: ObjectOrigin | undefined,
  read: (root: Field, base: ObjectBase) => R,
): Translated<R> {
  const root = rootField(object);
  const ref = refOf(object, origin);
  checkNames(root, ref);
  const record = read(root, { ref, createdAt: readCreated(root), namespace: ref.namespace, name: ref.name });
  const rejections = root.problems.map((problem) => rejectionOf(ref, problem));
  return root.problems.some(({ strength }) => strength === "object") ? { rejections } : { record, rejections };
}

/** A problem as the report shows it. */
function rejectionOf(ref: ObjectRef, problem: Problem): Rejection {
  return { ...ref, ...problem };
}

function checkNames(root: Field, ref: ObjectRef): void {
  const isLabelKind = ref.kind === "Namespace" || ref.kind === "Service";
  if (!(isLabelKind ? isDnsLabel(ref.name) : isDnsSubdomain(ref.name))) {
    const wanted = isLabelKind ? "at most 63 lower-case letters, digits and -" : "lower-case letters, digits, - and .";
    reject(memberAt(root, "metadata", "name"), "name-invalid", `metadata.name is ${shown(ref.name)}: use ${wanted}.`);
  }
  if (ref.kind !== "Namespace" && !isDnsLabel(ref.namespace)) {
    const message = `metadata.namespace is ${shown(ref.namespace)}, which no namespace can be called.`;
    reject(memberAt(root, "metadata", "namespace"), "name-invalid", message);
  }
}

/** Milliseconds since the epoch, 0 when the object does not say. */
function readCreated(root: Field): number {
  const field = memberAt(root, "metadata", "creationTimestamp");
  if (field.value === undefined) return 0;
  const createdAt = typeof field.value === "string" ? Date.parse(field.value) : Number.NaN;
  if (!Number.isNaN(createdAt)) return createdAt;
  reject(field, "field-type", `${field.path} is ${shown(field.value)}: write a time such as 2024-05-01T12:00:00Z.`);
  return 0;
}

/**
 * Notes a service account whose name holds a dot: identities are `<service account>.<namespace>.<trust domain>`, so
 * `a.b` in `c` and `a` in `b.c` could not be told apart.
 */
export function checkServiceAccountName(field: Field, name: string): void {
  if (!name.includes(".")) return;
  const message = `${field.path} is ${shown(name)}: a service account of the mesh may not have a dot in its name, rename it.`;
  reject(field, "service-account-dotted", message);
}

/** `metadata.<name>` of the object. */
export function metadata(root: Field, name: string): Field {
  return member(member(root, "metadata"), name);
}
