import { describe, expect, test } from "vitest";
import type { KubeObject } from "../kube/objects.ts";
import { podOf, readWorkload } from "./workloads.ts";

const origin = { file: "shop.yaml", line: 7 };

function object(kind: string, spec: unknown): KubeObject {
  return { apiVersion: "apps/v1", kind, metadata: { name: "web", namespace: "shop" }, spec };
}

function template(spec: object = {}, labels: Record<string, unknown> = { app: "web" }) {
  return { metadata: { labels }, spec: { containers: [{ name: "app", image: "app:1" }], ...spec } };
}

function workloadOf(kind: string, spec: object) {
  const { workload, rejections } = readWorkload(object(kind, spec), origin);
  if (workload === undefined) throw new Error(JSON.stringify(rejections));
  return workload;
}

test("a pod of a Deployment carries what admission and its controller would add", () => {
  const workload = workloadOf("Deployment", { replicas: 2, template: template() });
  expect(podOf(workload, "web-a")).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web-a",
      namespace: "shop",
      labels: { app: "web", "pod-template-hash": workload.templateHash },
      annotations: {},
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      serviceAccountName: "default",
      containers: [{ name: "app", image: "app:1" }],
    },
  });
});

test("a pod of a StatefulSet can be called by its own name, and its claims are scratch space", () => {
  const workload = workloadOf("StatefulSet", {
    serviceName: "db",
    template: template({ serviceAccountName: "db" }),
    volumeClaimTemplates: [{ metadata: { name: "data" } }],
  });
  expect(podOf(workload, "web-0")).toMatchObject({
    metadata: { labels: { "statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0" } },
    spec: { hostname: "web-0", subdomain: "db", serviceAccountName: "db", volumes: [{ name: "data", emptyDir: {} }] },
  });
});

test("a pod of a Job may end", () => {
  const policy = (spec: object) => podOf(workloadOf("Job", { template: template(spec) }), "web-a").spec.restartPolicy;
  expect([policy({}), policy({ restartPolicy: "Never" })]).toEqual(["OnFailure", "Never"]);
});

test("the hash of a template changes with it, and with nothing else", () => {
  const hash = (spec: object) => workloadOf("Deployment", spec).templateHash;
  const first = hash({ replicas: 1, template: template() });
  expect(hash({ replicas: 5, template: template() })).toBe(first);
  expect(hash({ replicas: 1, template: template({ hostname: "other" }) })).not.toBe(first);
});

test("an explicit null counts as absent, as for an API server", () => {
  const spec = { replicas: null, template: template({ initContainers: null, serviceAccountName: null }) };
  expect(workloadOf("Deployment", spec)).toMatchObject({ scale: { replicas: 1 } });
});

describe("what cannot run is refused by field and reason", () => {
  const container = (fields: object) => template({ containers: [{ name: "app", ...fields }] });
  test.each([
    ["Deployment", { template: template({ containers: "app" }) }, "schema", "spec.template.spec.containers"],
    ["Deployment", {}, "schema", "spec.template"],
    ["Deployment", { replicas: -1, template: template() }, "schema", "spec.replicas"],
    ["StatefulSet", { replicas: 1e9, template: template() }, "schema", "spec.replicas"],
    ["Deployment", { template: template({}, { app: 1 }) }, "schema", 'spec.template.metadata.labels["app"]'],
    [
      "Job",
      { template: container({ env: [{ name: "A", value: 1 }] }) },
      "schema",
      "spec.template.spec.containers[0].env[0].value",
    ],
    ["Pod", { containers: [{ image: "app:1" }] }, "schema", "spec.containers[0].name"],
    ["Pod", { containers: [] }, "unsupported", "spec.containers"],
    ["Pod", template({ hostNetwork: true }).spec, "unsupported", "spec.hostNetwork"],
    [
      "Deployment",
      { selector: { matchLabels: { app: "shop" } }, template: template() },
      "selector-mismatch",
      "spec.selector",
    ],
  ])("%s %j", (kind, spec, reason, field) => {
    const { workload, rejections } = readWorkload(object(kind, spec), origin);
    expect(workload).toBeUndefined();
    expect(rejections).toMatchObject([
      { kind, namespace: "shop", name: "web", file: "shop.yaml", line: 7, strength: "object", reason, field },
    ]);
  });
});

test("parts that have no effect here are named, and the rest of the pod runs", () => {
  const { workload, rejections } = readWorkload(
    object("Deployment", {
      template: template({
        volumes: [{ name: "disk", hostPath: { path: "/" } }, { name: "scratch" }],
        containers: [
          {
            name: "app",
            envFrom: [{ configMapRef: { name: "settings" } }],
            env: [
              { name: "SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
              { name: "LIMIT", valueFrom: { fieldRef: { fieldPath: "status.nonsense" } } },
              { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            ],
          },
        ],
      }),
    }),
  );
  expect(workload).toBeDefined();
  expect(rejections.map(({ strength, field }) => `${strength} ${field}`)).toEqual([
    "part spec.template.spec.volumes[0]",
    "part spec.template.spec.containers[0].envFrom",
    "part spec.template.spec.containers[0].env[0].valueFrom",
    "part spec.template.spec.containers[0].env[1].valueFrom",
  ]);
});

test.each([
  ["a container whose name is a path", { containers: [{ name: "../../../etc/cron", image: "app:1" }] }],
  ["a host name that is a line of /etc/hosts", { hostname: "web\n10.0.0.1 bank" }],
  ["a probe of a port that cannot be", { containers: [{ name: "app", readinessProbe: { httpGet: { port: 99999 } } }] }],
  ["a negative user", { securityContext: { runAsUser: -1 } }],
  ["a variable that no program can be given", { containers: [{ name: "app", env: [{ name: "A", value: "\0" }] }] }],
  ["a wait longer than any timer", { terminationGracePeriodSeconds: 3_000_000 }],
])("%s is refused where it is read, before anything on the machine is called by it", (_case, spec) => {
  const { workload, rejections } = readWorkload(object("Deployment", { template: template(spec) }), origin);
  expect(workload).toBeUndefined();
  expect(rejections).toMatchObject([{ ...origin, strength: "object", reason: "schema" }]);
});

test.each([
  ["../../../etc/cron.d/x", "shop"],
  ["web", "../.."],
])("a Pod %s of namespace %s makes no folder outside the state dir", (name, namespace) => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec: { containers: [{ name: "app" }] } };
  const { workload, rejections } = readWorkload(pod, origin);
  expect(workload).toBeUndefined();
  expect(rejections).toMatchObject([{ strength: "object", reason: "schema" }]);
});

test("names left empty count as absent, as an API server has it", () => {
  const workload = workloadOf("Deployment", { template: template({ serviceAccountName: "", hostname: "" }) });
  expect(podOf(workload, "web-a").spec).toMatchObject({ serviceAccountName: "default" });
});
