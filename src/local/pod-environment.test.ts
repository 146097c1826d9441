import { expect, test } from "vitest";
import type { Container, Pod } from "../kube/objects.ts";
import { containerEnvironment, hostsFile, resolvConf } from "./pod-environment.ts";
import { readService } from "./services.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "db-0", namespace: "shop", uid: "u1", labels: { app: "db" } },
  spec: { hostname: "db-0", subdomain: "db", serviceAccountName: "db", nodeName: "local", containers: [] },
  status: { podIP: "10.244.0.7", hostIP: "10.96.0.2" },
};

function environment(container: Partial<Container>, links: boolean = false) {
  const web = readService({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web-front", namespace: "shop" },
    spec: { ports: [{ port: 80 }] },
  });
  const services = web === undefined ? [] : [{ ...web, address: "10.96.3.4" }];
  const spec = { ...pod.spec, enableServiceLinks: links };
  return containerEnvironment({ name: "app", ...container }, { ...pod, spec }, { PATH: "/bin" }, services);
}

test("a pod finds itself by its own names", () => {
  expect(hostsFile(pod, "cluster.local").split("\n")).toEqual(
    expect.arrayContaining(["127.0.0.1\tlocalhost", "10.244.0.7\tdb-0.db.shop.svc.cluster.local\tdb-0"]),
  );
});

test("short names are looked up in the pod's own namespace first", () => {
  expect(resolvConf("shop", "cluster.local", "10.96.0.10")).toBe(
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
  );
});

test("variables come from values, from the pod, and from each other in order", () => {
  const env = [
    { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    { name: "URL", value: "http://$(IP)/$(APP)?$$(APP)&$(LATER)" },
    { name: "LATER", value: "" },
    { name: "KEY", valueFrom: { secretKeyRef: { name: "s", key: "k" } } as object },
  ];
  expect(environment({ env, args: ["--url=$(URL)"] })).toEqual({
    env: {
      PATH: "/bin",
      HOSTNAME: "db-0",
      IP: "10.244.0.7",
      APP: "db",
      URL: "http://10.244.0.7/db?$(APP)&$(LATER)",
      LATER: "",
    },
    command: [],
    args: ["--url=http://10.244.0.7/db?$(APP)&$(LATER)"],
  });
});

test("services of the namespace are known by variables too, unless the pod wants none", () => {
  const linked = { WEB_FRONT_SERVICE_HOST: "10.96.3.4", WEB_FRONT_SERVICE_PORT: "80" };
  expect(environment({}, true).env).toMatchObject(linked);
  expect(environment({}, false).env).not.toMatchObject(linked);
});
