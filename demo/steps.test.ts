import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { appsFolder, bookstoreFolder, demoSteps, localFile, programs, reporters, stepsFolder } from "./steps.ts";

const read = (folder: URL, name: string) => readFileSync(new URL(name, folder), "utf8");
const manifests = readdirSync(bookstoreFolder).filter((name) => name !== localFile);
const objects = manifests.flatMap((name) =>
  parseAllDocuments(read(bookstoreFolder, name)).map((document) => document.toJS() as Manifest),
);

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

test("every image of the manifests has a program, in the served folder's map and in the guided demo's", () => {
  const images = objects.flatMap(({ spec }) => spec?.template?.spec.containers.map(({ image }) => image) ?? []);
  const { images: local } = parse(read(bookstoreFolder, localFile)) as { images: Record<string, string[]> };
  expect(Object.keys(local).sort()).toEqual([...new Set(images)].sort());
  for (const [image, program] of Object.entries(programs)) {
    expect(local[image]).toEqual(["node", `../apps/${program}`]);
    expect(read(appsFolder, program)).not.toBe("");
  }
});

test("every file that a step puts exists, and no file of a step is left unused", () => {
  const put = new Set(demoSteps.flatMap(({ puts }) => puts.map(({ from }) => from)));
  const files = readdirSync(stepsFolder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".yaml"),
  );
  expect(files.map((name) => name.replaceAll("\\", "/")).sort()).toEqual([...put].sort());
});

test("the lines that are shown of a file are in it, in this order", () => {
  for (const { from, shows } of demoSteps.flatMap(({ puts }) => puts)) {
    const lines = read(stepsFolder, from).split("\n");
    let next = 0;
    for (const line of shows) {
      const found = lines.indexOf(line, next);
      expect(found, `${line} in ${from}`).toBeGreaterThanOrEqual(next);
      next = found + 1;
    }
  }
});

test("policy comes before permissive mode ends, so that nobody is cut off in between", () => {
  const order = demoSteps.find(({ id }) => id === "access-policy")?.puts.map(({ to }) => to);
  expect(order).toEqual(["access.yaml", "mesh-config.yaml"]);
});

test("every program that reports is a workload of the manifests", () => {
  for (const { namespace, workload } of reporters) {
    expect(objects).toContainEqual(
      expect.objectContaining({ kind: "Deployment", metadata: expect.objectContaining({ name: workload, namespace }) }),
    );
  }
});
