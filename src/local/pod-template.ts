import type { Container, PodSpec } from "../kube/objects.ts";
import type { Shape, ShapeProblem } from "./shape.ts";
import { readShape } from "./shape.ts";

/** What all pods of a workload have in common. */
export interface PodTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

/** Something that keeps a template, or the named part of it, from running here. */
export interface TemplateProblem extends ShapeProblem {
  readonly strength: "object" | "part";
  readonly reason: "schema" | "unsupported";
}

const strings: Shape = { map: "string" };
const port: Shape = "port-or-name";
const security: Shape = {
  fields: { runAsUser: "id", runAsGroup: "id", runAsNonRoot: "boolean", privileged: "boolean" },
};
const probe: Shape = {
  fields: {
    httpGet: {
      fields: {
        path: "string",
        port,
        host: "string",
        scheme: "string",
        httpHeaders: { list: { fields: { name: "string", value: "string" }, required: ["name"] } },
      },
      required: ["port"],
    },
    tcpSocket: { fields: { port, host: "string" }, required: ["port"] },
    exec: { fields: { command: { list: "string" } } },
    grpc: { fields: { port: "port", service: "string" }, required: ["port"] },
    initialDelaySeconds: "seconds",
    periodSeconds: "seconds",
    timeoutSeconds: "seconds",
    successThreshold: "id",
    failureThreshold: "id",
  },
};
const container: Shape = {
  fields: {
    name: "dns-label",
    image: "string",
    imagePullPolicy: "string",
    command: { list: "string" },
    args: { list: "string" },
    env: {
      list: {
        fields: {
          name: "variable-name",
          value: "string",
          valueFrom: { fields: { fieldRef: { fields: { fieldPath: "string" }, required: ["fieldPath"] } } },
        },
        required: ["name"],
      },
    },
    envFrom: { list: "any" },
    ports: {
      list: {
        fields: { name: "string", containerPort: "port", protocol: "string" },
        required: ["containerPort"],
      },
    },
    livenessProbe: probe,
    readinessProbe: probe,
    startupProbe: probe,
    securityContext: security,
    volumeMounts: {
      list: { fields: { name: "string", mountPath: "string", readOnly: "boolean" }, required: ["name", "mountPath"] },
    },
    restartPolicy: "string",
  },
  required: ["name"],
};

/** The fields of a PodSpec that are read here or by what runs the pod. */
const podSpecShape: Shape = {
  fields: {
    serviceAccountName: "dns-name",
    serviceAccount: "dns-name",
    hostNetwork: "boolean",
    hostname: "dns-label",
    subdomain: "dns-label",
    nodeName: "string",
    restartPolicy: "string",
    nodeSelector: strings,
    initContainers: { list: container },
    containers: { list: container },
    volumes: { list: { fields: { name: "dns-label" }, required: ["name"] } },
    securityContext: security,
    terminationGracePeriodSeconds: "seconds",
    enableServiceLinks: "boolean",
    hostAliases: { list: { fields: { ip: "string", hostnames: { list: "string" } }, required: ["ip"] } },
  },
  required: ["containers"],
};

const supportedVolumes = ["emptyDir", "secret", "configMap", "projected", "downwardAPI"];
const fieldPaths =
  /^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(podIPs?|hostIPs?))$/;

/** Reads a template whose fields lie below `path` (`spec.template`, or "" for a Pod). */
export function readPodTemplate(
  value: { readonly metadata: unknown; readonly spec: unknown },
  path: string,
): { readonly template?: PodTemplate; readonly problems: readonly TemplateProblem[] } {
  const wrong: ShapeProblem[] = [];
  const at = (field: string) => (path === "" ? field : `${path}.${field}`);
  const metadata = readShape(
    value.metadata ?? {},
    { fields: { labels: strings, annotations: strings } },
    at("metadata"),
    wrong,
  ) as Partial<Pick<PodTemplate, "labels" | "annotations">>;
  const spec = readShape(value.spec ?? {}, podSpecShape, at("spec"), wrong) as PodSpec;
  if (wrong.length > 0) {
    return { problems: wrong.map((problem) => ({ ...problem, strength: "object", reason: "schema" })) };
  }
  const problems = unsupportedParts(spec, at("spec"));
  if (problems.some(({ strength }) => strength === "object")) return { problems };
  return { template: { labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {}, spec }, problems };
}

function unsupportedParts(spec: PodSpec, at: string): TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  const unsupported = (strength: TemplateProblem["strength"], field: string, message: string) =>
    problems.push({ strength, reason: "unsupported", field, message });
  if (spec.hostNetwork === true) {
    unsupported("object", `${at}.hostNetwork`, "a local pod always has its own network: remove hostNetwork");
  }
  const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (spec.containers.length === 0) unsupported("object", `${at}.containers`, "is empty: a pod needs a container");
  if (twice !== undefined) unsupported("object", `${at}.containers`, `has two containers named "${twice}": rename one`);
  for (const [index, { name, restartPolicy }] of (spec.initContainers ?? []).entries() as Iterable<
    [number, Container & { restartPolicy?: string }]
  >) {
    if (restartPolicy !== "Always") continue;
    const message = `init container "${name}" never ends; local pods do not run such sidecars: make it a container`;
    unsupported("object", `${at}.initContainers[${index}].restartPolicy`, message);
  }
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    const source = Object.keys(volume).find((key) => key !== "name") ?? "emptyDir";
    if (supportedVolumes.includes(source)) continue;
    unsupported("part", `${at}.volumes[${index}]`, `volume "${volume.name}" is of type ${source}: use emptyDir`);
  }
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, each] of (spec[list] ?? []).entries()) {
      unsupportedEnvironment(each, `${at}.${list}[${index}]`, unsupported);
    }
  }
  return problems;
}

function unsupportedEnvironment(
  each: Container & { readonly envFrom?: readonly unknown[] },
  at: string,
  unsupported: (strength: "part", field: string, message: string) => unknown,
): void {
  if (each.envFrom !== undefined && each.envFrom.length > 0) {
    unsupported("part", `${at}.envFrom`, "local pods take env alone: write the values there");
  }
  for (const [index, { name, valueFrom }] of (each.env ?? []).entries()) {
    if (valueFrom === undefined) continue;
    const fieldPath = valueFrom.fieldRef?.fieldPath;
    if (fieldPath !== undefined && fieldPaths.test(fieldPath)) continue;
    const source = fieldPath ?? Object.keys(valueFrom)[0] ?? "nothing";
    unsupported("part", `${at}.env[${index}].valueFrom`, `${name} comes from ${source}: write its value instead`);
  }
}
