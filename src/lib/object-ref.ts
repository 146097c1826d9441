/** Names one Kubernetes object, and where a person finds it when it came from a file. */
export interface ObjectRef {
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** Path relative to the served folder. */
  readonly file?: string;
  /** 1-based line on which the object's document starts. */
  readonly line?: number;
}

/** `kind/namespace/name`: the key under which an object is stored. */
export function objectKey(ref: Pick<ObjectRef, "kind" | "namespace" | "name">): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}
