/**
 * Kubernetes objects as they arrive: only the fields that this project reads, all optional but for what the API server
 * guarantees. Follows the Kubernetes API reference (core/v1, discovery.k8s.io/v1, apps/v1, batch/v1).
 */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  /** RFC 3339; set while the object is being deleted. */
  readonly deletionTimestamp?: string;
}

/** Any object: its content beyond metadata is unknown until a translator has looked at it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly [field: string]: unknown;
}

/** Where an object was read. */
export interface ObjectOrigin {
  /** Path relative to the served folder, with `/`. */
  readonly file: string;
  /** 1-based line on which the document starts. */
  readonly line: number;
}

export interface SourcedObject {
  readonly object: KubeObject;
  readonly origin?: ObjectOrigin;
}

/**
 * What every source of objects gives. `source` names the source: a `reset` replaces all that this source said before and
 * nothing of another. A batch of events is applied as one change.
 */
export type ObjectEvent =
  | { readonly type: "apply"; readonly source: string; readonly object: KubeObject; readonly origin?: ObjectOrigin }
  | {
      readonly type: "delete";
      readonly source: string;
      /** Tells kinds of one name in two API groups apart; without it the kind that the mesh knows is meant. */
      readonly apiVersion?: string;
      readonly kind: string;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly type: "reset"; readonly source: string; readonly objects: readonly SourcedObject[] };

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}
export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}
export interface HttpGetAction {
  readonly path?: string;
  readonly port: number | string;
  readonly host?: string;
  readonly scheme?: string;
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
}
export interface Probe {
  readonly httpGet?: HttpGetAction;
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly exec?: { readonly command?: readonly string[] };
  readonly grpc?: { readonly port: number; readonly service?: string };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
}
export interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
}
export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}
export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly ContainerPort[];
  readonly resources?: unknown;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: readonly VolumeMount[];
}
export interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string };
  readonly [source: string]: unknown;
}
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly serviceAccount?: string;
  readonly hostNetwork?: boolean;
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly nodeName?: string;
  readonly restartPolicy?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly securityContext?: SecurityContext;
  readonly terminationGracePeriodSeconds?: number;
}
export interface PodStatus {
  readonly phase?: string;
  readonly hostIP?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
}
export interface Pod extends KubeObject {
  readonly kind: "Pod";
  readonly spec: PodSpec;
  readonly status?: PodStatus;
}

/** The bare shape that a document must have before any translator looks at it. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const { apiVersion, kind, metadata } = value as Partial<Record<"apiVersion" | "kind" | "metadata", unknown>>;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  if (metadata === null || typeof metadata !== "object" || Array.isArray(metadata)) return false;
  const { name, namespace } = metadata as { name?: unknown; namespace?: unknown };
  return (
    typeof name === "string" &&
    name !== "" &&
    (namespace === undefined || namespace === null || typeof namespace === "string")
  );
}
