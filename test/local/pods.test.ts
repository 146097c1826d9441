import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PodSummary } from "../../src/local/mod.ts";
import { askNode, obstacle, type ServedFolder, serveFolder } from "./served-folder.ts";

const app = fileURLToPath(new URL("./echo-app.mjs", import.meta.url));
const images = `images:
  echo:1: [${JSON.stringify(process.execPath)}, ${JSON.stringify(app)}]
  client: [sleep, "1000"]
`;
const deployment = (version: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: echo:1
        args: ["8080"]
        env: [{name: VERSION, value: "${version}"}]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 1}
`;
const world = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: heads, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: shop}
spec: {clusterIP: 10.96.200.200, selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec:
  containers:
  - {name: main, image: client}
---
apiVersion: v1
kind: Pod
metadata: {name: lost, namespace: shop}
spec:
  containers:
  - {name: main, image: "nothing:1"}
---
apiVersion: v1
kind: Pod
metadata: {name: other-user, namespace: shop}
spec:
  securityContext: {runAsUser: 4321}
  containers:
  - {name: main, image: client}
---
apiVersion: v1
kind: Pod
metadata: {name: stuck, namespace: shop}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: echo:1
    args: ["8080"]
    livenessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 2}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: done}
`;

describe.skipIf(obstacle !== undefined)(`local pods${obstacle === undefined ? "" : ` (${obstacle})`}`, () => {
  let folder: ServedFolder;
  const web = async () => (await folder.pods()).filter(({ name }) => name.startsWith("web-"));
  const curl = async (url: string) => (await folder.exec("shop", "client", "curl", "-sS", "-m", "5", url)).stdout;
  const allReady = (count: number) => (pods: readonly PodSummary[]) => {
    const found = pods.filter(({ name }) => name.startsWith("web-"));
    return found.length === count && found.every(({ isReady }) => isReady);
  };

  beforeAll(async () => {
    folder = await serveFolder({
      "osm.local.yaml": `${images}  done: ["true"]\n`,
      "world.yaml": world,
      "web.yaml": deployment("one", 2),
    });
    await folder.node.settled;
  });
  afterAll(async () => await folder?.stop());

  test("a pod reaches others by address, cluster IP and every form of the name", async () => {
    const [first] = await web();
    expect(await curl(`http://${first?.address}:8080/`)).toBe(`${first?.name} one`);
    for (const host of ["web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"]) {
      expect(await curl(`http://${host}/`)).toMatch(/^web-.* one$/);
    }
    expect(await curl("http://heads:8080/")).toMatch(/^web-.* one$/);
    const answers = new Set(await Promise.all(Array.from({ length: 20 }, () => curl("http://web/"))));
    expect(answers.size).toBe(2);
  });

  test("a pod reaches itself through its own service", async () => {
    const [first] = await web();
    const untilOwn =
      "for i in $(seq 60); do a=$(curl -sS -m 5 http://web/) || exit 1; case $a in $HOSTNAME*) exit 0; esac; done; exit 2";
    expect((await folder.exec("shop", first?.name ?? "", "sh", "-c", untilOwn)).code).toBe(0);
  });

  test("what is not there is refused at once: names outside, services without endpoints, strange addresses", async () => {
    const started = performance.now();
    for (const url of ["http://example.org/", "http://nobody/", "http://198.51.100.7/"]) {
      expect((await folder.exec("shop", "client", "curl", "-s", "-m", "5", url)).code).not.toBe(28);
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("a command runs in the pod as its container does, and its exit code passes through", async () => {
    const seen = await folder.exec("shop", "client", "sh", "-c", "hostname; pwd; id -u; cat /etc/resolv.conf; exit 7");
    expect(seen.code).toBe(7);
    const uid = process.getuid?.();
    expect(seen.stdout).toContain(`client\n${folder.dir}\n${uid}\nsearch shop.svc.cluster.local `);
    expect((await folder.exec("shop", "other-user", "sh", "-c", "id -u; ls")).stdout).toContain(
      "4321\nosm.local.yaml\n",
    );
    const processes = await folder.exec("shop", "client", "sh", "-c", "ls -d /proc/[0-9]* | wc -l");
    expect(Number(processes.stdout)).toBeLessThan(10);
  });

  test("a program of another user, which reads DIR whatever its modes, finds no keys in the state dir", async () => {
    const key = join(folder.stateDir, "ca", "private.key");
    writeFileSync(key, "a key", { mode: 0o600 });
    const seen = await folder.exec("shop", "other-user", "sh", "-c", `cat ${key}; ls -R ${folder.stateDir}/run`);
    expect(seen.stdout).toBe(`${folder.stateDir}/run:\n`);
  });

  test("a container without a program is named with file, pod and image, and holds up nobody else", async () => {
    const lost = (await folder.pods()).find(({ name }) => name === "lost");
    expect(lost?.isReady).toBe(false);
    expect(lost?.reason).toMatch(/^world\.yaml:\d+: pod shop\/lost.*"nothing:1"/);
  });

  test("the pod starts when somebody says what stands for its image; a slip there changes nothing", async () => {
    const before = await web();
    folder.put("osm.local.yaml", "images: [");
    folder.put("osm.local.yaml", `${images}  done: ["true"]\n  "nothing:1": [sleep, "1000"]\n`);
    await folder.until((pods) => pods.some(({ name, isReady }) => name === "lost" && isReady));
    expect((await web()).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  });

  test("a job's pod completes and is not started again", async () => {
    const once = (await folder.pods()).filter(({ name }) => name.startsWith("once-"));
    expect(once).toMatchObject([{ phase: "Succeeded", reason: "", containers: [{ restarts: 0 }] }]);
  });

  test("a program that ends is started again; its log is kept", async () => {
    const [first] = await web();
    await folder.exec("shop", "client", "curl", "-s", `http://${first?.address}:8080/gone`);
    const restarted = await folder.until(
      (pods) =>
        pods.some(({ name, containers }) => name === first?.name && containers[0]?.restarts === 1) && allReady(2)(pods),
    );
    expect(restarted.find(({ name }) => name === first?.name)?.address).toBe(first?.address);
    const { path } = (await askNode(folder.socket, `/pods/shop/${first?.name}/logs`)) as { path: string };
    expect(() => readFileSync(path)).not.toThrow();
  });

  test("a program whose liveness probe fails is started again", async () => {
    const stuck = (await folder.pods()).find(({ name }) => name === "stuck");
    await curl(`http://${stuck?.address}:8080/unready`);
    await folder.until((pods) =>
      pods.some(({ name, isReady, containers }) => name === "stuck" && isReady && (containers[0]?.restarts ?? 0) > 0),
    );
  });

  test("a pod that is not ready gets no traffic until it is again", async () => {
    const [first, second] = await web();
    await curl(`http://${first?.address}:8080/unready`);
    await folder.until((pods) => pods.some(({ name, isReady }) => name === first?.name && !isReady));
    const answers = new Set(await Promise.all(Array.from({ length: 12 }, () => curl("http://web/"))));
    expect([...answers]).toEqual([`${second?.name} one`]);
    await curl(`http://${first?.address}:8080/ready`);
    await folder.until(allReady(2));
  });

  test("an edited workload is replaced without a failed request", async () => {
    const before = new Set((await web()).map(({ name }) => name));
    const script = "while [ ! -e stop ]; do curl -sS -m 5 http://web/ || echo FAILED; echo; sleep 0.02; done";
    const load = folder.exec("shop", "client", "sh", "-c", script);
    folder.put("web.yaml", deployment("two", 2));
    await folder.until((pods) => allReady(2)(pods) && !pods.some(({ name }) => before.has(name)));
    expect(await curl("http://web/")).toContain(" two");
    folder.put("stop", "");
    const answers = (await load).stdout;
    expect(answers).toContain(" two");
    expect(answers).not.toContain("FAILED");
  });

  test("fewer replicas keep the names of those that stay", async () => {
    const before = (await web()).map(({ name }) => name);
    folder.put("web.yaml", deployment("two", 1));
    const after = await folder.until(allReady(1));
    expect(before).toContain(after.find(({ name }) => name.startsWith("web-"))?.name);
  });
});
