/** The demo's bookstore as `osm serve --no-pods` takes it: its workloads as pods with addresses and endpoints. */
import { readdirSync, readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../src/kube/objects.ts";
import type { WorldPod } from "./world.ts";

export interface Bookstore {
  readonly objects: readonly KubeObject[];
  readonly pods: readonly WorldPod[];
}

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly serviceAccountName?: string };
}
interface ServiceSpec {
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name?: string; readonly port: number; readonly targetPort?: number }[];
}

interface MadePod extends WorldPod {
  readonly template: PodTemplate;
}

export function readBookstore(): Bookstore {
  const folder = new URL("../demo/bookstore/", import.meta.url);
  const manifests = readdirSync(folder)
    .filter((file) => file.endsWith(".yaml") && file !== "osm.local.yaml")
    .sort()
    .flatMap((file) => parseAllDocuments(readFileSync(new URL(file, folder), "utf8")))
    .map((document) => document.toJS() as KubeObject);
  const pods = manifests.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet").map(podOf);
  const services = manifests.filter(({ kind }) => kind === "Service");
  return {
    objects: [
      ...manifests.filter(({ kind }) => kind !== "Service"),
      ...services.map(withAddress),
      ...pods.map(podObject),
      ...services.map((service) => sliceOf(service, pods)),
    ],
    pods,
  };
}

function podOf(workload: KubeObject, position: number): MadePod {
  const { template } = workload.spec as { readonly template: PodTemplate };
  return {
    namespace: workload.metadata.namespace ?? "default",
    name: `${workload.metadata.name}-0`,
    serviceAccount: template.spec.serviceAccountName ?? "default",
    uuid: `00000000-0000-4000-8000-${position.toString(16).padStart(12, "0")}`,
    address: `10.244.0.${position + 2}`,
    template,
  };
}

function podObject({ namespace, name, uuid, address, template }: MadePod): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: { ...template.metadata.labels, "osm-proxy-uuid": uuid } },
    spec: template.spec,
    status: { phase: "Running", podIP: address },
  };
}

function withAddress(service: KubeObject, position: number): KubeObject {
  return { ...service, spec: { ...(service.spec as ServiceSpec), clusterIP: `10.96.0.${position + 20}` } };
}

function sliceOf(service: KubeObject, pods: readonly MadePod[]): KubeObject {
  const { namespace = "default", name } = service.metadata;
  const { selector = {}, ports } = service.spec as ServiceSpec;
  const selected = pods.filter(
    (pod) =>
      pod.namespace === namespace &&
      Object.entries(selector).every(([key, value]) => pod.template.metadata.labels[key] === value),
  );
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name: `${name}-slice`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: ports.map((port) => ({ name: port.name ?? "", port: port.targetPort ?? port.port })),
    endpoints: selected.map((pod) => ({
      addresses: [pod.address],
      conditions: { ready: true },
      targetRef: { kind: "Pod", namespace, name: pod.name },
    })),
  };
}
