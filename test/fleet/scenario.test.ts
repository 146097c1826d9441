import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { PlanError } from "../../src/fleet/action-changes.ts";
import { planPhases } from "../../src/fleet/action-plan.ts";
import {
  FolderFeed,
  type KubeObject,
  libraryNames,
  libraryScenario,
  namedShapes,
  readScenario,
  type Scenario,
  ScenarioError,
  World,
} from "../../src/fleet/mod.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function problemsOf(text: string, settings: Parameters<typeof readScenario>[2] = []): readonly string[] {
  try {
    readScenario(text, "mine.yaml", settings);
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.message.split("\n");
  }
}

/** A plan as plain data: what is written when, and what shows it. */
function played(scenario: Scenario): readonly unknown[] {
  const world = new World(scenario.shape);
  return planPhases(scenario.phases, world, scenario.seed).flatMap(({ steps }) =>
    steps.map((step) =>
      step.kind === "change" ? { atMs: step.atMs, ...step.apply(world) } : { atMs: step.atMs, action: step.action },
    ),
  );
}

const good = "name: mine\nshape: W1\nphases:\n  - {action: endpoint-churn, rate: 10, for: 1s}\n";

describe("a scenario file", () => {
  test("that is good is read with all that it leaves out", () => {
    const scenario = readScenario(good, "mine.yaml");
    expect(scenario).toMatchObject({ name: "mine", shapeName: "W1", proxies: 200, protocol: "delta", seed: 1 });
    expect(scenario.phases[0]?.actions[0]).toEqual({
      kind: "endpoint-churn",
      atMs: 0,
      forMs: 1000,
      rate: 10,
      merge: 1,
    });
  });

  test.each([
    ["prox: 3", "mine.yaml:5: prox: is no field here", "proxies"],
    ["seed: fast", "mine.yaml:5: seed: a whole number from 0", 'found "fast"'],
    ["proxies: 0", "mine.yaml:5: proxies: a whole number from 1", 'found "0"'],
    ["protocol: delto", "mine.yaml:5: protocol: one of delta, sotw was expected", 'Did you mean "delta"?'],
    ["patience: 10", "mine.yaml:5: patience: a duration was expected", "for example 10s"],
    ["behaviours: [{behaviour: nack}]", "mine.yaml:5: behaviours[0].share: is missing", "from 0 to 1"],
    ["target: {folder: x}", "mine.yaml:5: target.address: is missing", "HOST:PORT"],
    [
      "target: {address: 127.0.0.1:1, pid: 2147483647}",
      "mine.yaml:5: target.pid: there is no process 2147483647.",
      "or leave it out",
    ],
    ["target: 127.0.0.1:1", 'mine.yaml:4: phases: "endpoint-churn" changes what', "Add target.folder"],
    ["patience: 25h", "mine.yaml:5: patience: 24h at most", 'found "25h"'],
    ["patience: 0s", "mine.yaml:5: patience: is no time", "for example 30s"],
    ['proxies: "3"', "mine.yaml:5: proxies: a whole number from 1", "Write it without quotes."],
    ["workload: 3", "mine.yaml:5: workload: a text was expected", "Write it in quotes."],
    ["target: localhost", "mine.yaml:5: target: HOST:PORT or unix:PATH was expected", 'found "localhost"'],
    [
      "target: {address: 127.0.0.1:99999}",
      "mine.yaml:5: target.address: HOST:PORT or unix:PATH was",
      "127.0.0.1:99999",
    ],
    ["proxies: *some", "mine.yaml:5: the file: Unresolved alias", "some"],
    ["proxies: !many 3", "mine.yaml:5: the file: is no YAML", "!many"],
    ["---\nname: another", "mine.yaml:5: the file: is no YAML", "multiple documents."],
    [`patience: ${"9".repeat(120)}x`, "mine.yaml:5: patience: a duration", `found "${"9".repeat(100)}…".`],
    ["target: {serve: [], replicas: 9}", "mine.yaml:5: target.replicas: a whole number from 1 to 8", 'found "9"'],
  ])("with %s says where that is and what to write", (line, where, what) => {
    const [problem = ""] = problemsOf(`${good}${line}\n`);
    expect(problem).toContain(where);
    expect(problem).toContain(what);
  });

  test("tells all that is wrong in an action, each with its line", () => {
    const text =
      "name: mine\nshape: W9\nphases:\n  - action: endpont-churn\n  - {action: flip, evry: 2s}\n  - action: api-trouble\n";
    const problems = problemsOf(text);
    expect(problems[0]).toContain("mine.yaml:2: shape: one of W1");
    expect(problems[1]).toContain("mine.yaml:4: phases[0].action: one of");
    expect(problems[1]).toContain('Did you mean "endpoint-churn"?');
    expect(problems[2]).toContain("mine.yaml:5: phases[1].evry: is no field here");
    expect(problems[3]).toContain(
      'mine.yaml:6: phases[2].action: "api-trouble" needs a source that is a Kubernetes API',
    );
  });

  test.each([
    ["[{action: drain}]", "phases[0]", '"drain" leaves its proxies to other replicas'],
    [
      "[{action: restart, replica: 7}]",
      "phases[0].replica",
      'there is one control plane, and found "7". Leave this field out, or write target: {serve: [], replicas: 2}',
    ],
    ["[{action: drain, replica: 2}]\ntarget: {serve: [], replicas: 2}", "phases[0].replica", "from 0 to 1"],
    [
      "[{action: drain}, {action: restart}, {action: drain}, {action: drain, replica: 1}]\ntarget: {replicas: 2}",
      "phases[3]",
      "no replica would serve any more",
    ],
    [
      "[{action: drain}, {action: drain}]\ntarget: {serve: [], replicas: 3}",
      "phases[1]",
      "replica 0 is drained already",
    ],
  ])("with phases %s leaves proxies without a control plane, and is refused", (phases, field, what) => {
    const [problem = ""] = problemsOf(`name: mine\nshape: W1\nphases: ${phases}\n`);
    expect(problem).toContain(`mine.yaml:3: ${field}: `);
    expect(problem).toContain(what);
  });

  test.each([
    ["{action: edit-setting, field: spec.sidecar.tlsMin, values: [a]}", "phases[0].field: one of spec.traffic.enable"],
    ["{action: edit-setting, field: spec.traffic.enableEgress}", "phases[0].values: a list of what"],
    [
      "{action: edit-setting, field: spec.traffic.enableEgress, values: [yes]}",
      "values[0]: true or false was expected",
    ],
    ["{action: edit-setting, field: spec.traffic.enableEgress, values: [false]}", "values[0]: is what"],
    [
      "{action: edit-setting, field: spec.sidecar.tlsMinProtocolVersion, values: [TLSv1.3]}",
      "values[0]: one of TLS_AUTO, TLSv1_0",
    ],
    ["{action: edit-setting, field: spec.sidecar.ecdhCurves, values: [[P-256], [P-256]], every: 1s}", "values[1]: is"],
    ["{action: edit-setting, field: spec.traffic.enableEgress, values: [true], count: 2, every: 1s}", "values[0]: is"],
  ])("with %s, which changes nothing or is no setting, says so", (action, what) => {
    const [problem = ""] = problemsOf(`name: mine\nshape: W1\nphases:\n  - ${action}\n`);
    expect(problem).toContain("mine.yaml:4: phases[0].");
    expect(problem).toContain(what);
  });

  test.each([
    ["kind: torn-wrte", "kind: one of torn-write", 'Did you mean "torn-write"?'],
    ["lasts: 1s", "kind: is missing", "folder-away"],
    ["kind: rewrite-all, lasts: 1s", "lasts: rewrite-all is over at once", "Remove this field"],
    ["kind: torn-write, count: 3, every: 500ms", "every: more than 500 ms", "was expected"],
    ["kind: torn-write, count: 3", "every: is missing", "10s"],
  ])("with source-trouble of {%s} says what is wrong with it", (fields, where, what) => {
    const [problem = ""] = problemsOf(`name: mine\nshape: W1\nphases:\n  - {action: source-trouble, ${fields}}\n`);
    expect(problem).toContain(`mine.yaml:4: phases[0].${where}`);
    expect(problem).toContain(what);
  });

  test.each([
    ["scope: namespaces", "shape.scope: one of none, namespace was expected", 'Did you mean "namespace"?'],
    ["scope: [ns-000]", "shape.scope: one of none, namespace was expected", "found a list"],
    ["scop: namespace", "shape.scop: is no field here", 'Did you mean "scope"?'],
    ["calls: namespaces", "shape.calls: one of all, degree", 'Did you mean "namespace"?'],
    ["calls: {kind: namespace, size: 2}", "shape.calls.size: is no field here", "there are kind"],
    ["calls: {kind: degree, degree: 99}", "shape.calls.degree: 99 is more than the 3 other services", "shape.services"],
    ["calls: {kind: hubs, hubs: 5, degree: 1}", "shape.calls.hubs: 5 is more than the 4 services", "Make it smaller"],
    ["calls: {kind: groups, size: 5}", "shape.calls.size: 5 is more than the 4 services", "Make it smaller"],
  ])("with a shape of {%s} says what is wrong with it", (field, where, what) => {
    const [problem = ""] = problemsOf(`name: mine\nphases: []\nshape: {services: 4, pods: 1, ${field}}\n`);
    expect(problem).toContain(`mine.yaml:3: ${where}`);
    expect(problem).toContain(what);
  });

  test("with more proxies than the shape has pods says so, and does not run with fewer", () => {
    const [problem = ""] = problemsOf("name: mine\nphases: []\nproxies: 500\nshape: {services: 4, pods: 1}\n");
    expect(problem).toContain("mine.yaml:3: proxies: 500 proxies are more than the 4 pods of the shape");
    expect(problem).toContain("leave proxies out");
  });

  test.each([
    ["{kind: folder-away, lasts: 1s}", "{kind: torn-write, at: 1s}", 1000],
    ["{kind: rewrite-all, at: 2500ms}", "{kind: unreadable, lasts: 1s, count: 2, every: 2s}", 2500],
  ])("with troubles of the source at the same time, %s and %s, says when", (one, other, atMs) => {
    const actions = [one, other].map((each) => each.replace("{", "{action: source-trouble, ")).join(", ");
    const [problem = ""] = problemsOf(`name: mine\nshape: W1\nphases:\n  - actions: [${actions}]\n`);
    expect(problem).toContain(`mine.yaml:4: phases[0]: a source-trouble begins after ${atMs} ms`);
  });

  test.each([
    ["policy-edit, rate: 1, for: 1s", "shape: W1", "Write a shape with mode: smi."],
    ["split-edit, rate: 1, for: 1s", "shape: {services: 4, pods: 1}", "Write a shape with splits: 1 or more."],
    ["restart", "target: {address: 127.0.0.1:1, folder: x}", "Write target: serve."],
    ["restart", "target: {address: 127.0.0.1:1}", "Write target: serve."],
    ["rotate-certificates", "target: {address: 127.0.0.1:1, folder: x}", "Add target.admin."],
  ])("with the action {%s}, which %s cannot serve, says so with its line", (action, line, what) => {
    const problems = problemsOf(`name: mine\nphases:\n  - {action: rest, for: 1s}\n  - {action: ${action}}\n${line}\n`);
    expect(problems.find((problem) => problem.startsWith("mine.yaml:4: phases[1]: "))).toContain(what);
  });

  test.each(["", ", folder: x"])("that drains a server at an address (%s) is told once what it takes", (more) => {
    const problems = problemsOf(
      `name: mine\nshape: W1\ntarget: {address: 127.0.0.1:1${more}}\nphases:\n  - {action: drain}\n`,
    );
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('mine.yaml:5: phases[0]: "drain" leaves its proxies to other replicas.');
  });

  test("of more changes than fit into memory is refused before they are planned", () => {
    const [problem = ""] = problemsOf(good.replace("rate: 10, for: 1s", "rate: 10000, for: 20h"));
    expect(problem).toContain("mine.yaml:4: phases[0].rate: 720000000 changes are more than 1000000");
  });

  test("may say by an alias what it has said before", () => {
    const text = "name: mine\nphases:\n  - &churn {action: endpoint-churn, rate: 10, for: 1s}\n  - *churn\nshape: W1\n";
    const { phases } = readScenario(text, "mine.yaml");
    expect(phases).toHaveLength(2);
    expect(phases[1]).toEqual(phases[0]);
    expect(problemsOf("name: mine\nshape: W1\nphases: &all [*all]\n")[0]).toContain(
      "phases[0]: an action was expected",
    );
  });

  test("that is no YAML says so, with the line", () => {
    expect(problemsOf("name: [x\nshape: W1\n")[0]).toContain("mine.yaml:2: the file: is no YAML");
    expect(problemsOf("[".repeat(20_000))).toEqual(["mine.yaml:1: the file: is nested too deeply."]);
  });

  test.each(["", "# later\n", "null\n"])("that holds nothing (%j) says so once, with a line", (text) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^mine\.yaml:1: the scenario: a map .* found nothing\.$/)]);
  });

  test("says once what is wrong with a value that is looked at several times", () => {
    expect(problemsOf("name: mine\nshape: W1\nphases: {action: rest}\n")).toEqual([
      'mine.yaml:3: phases: a list was expected, found a map. Start each entry with "- ".',
    ]);
  });

  test("takes other values from the command line, and says which of them do not fit", () => {
    const set = (path: string, value: string) => readScenario(good, "mine.yaml", [{ path, value }]);
    expect(set("phases.0.rate", "20").phases[0]?.actions[0]).toMatchObject({ rate: 20 });
    expect(set("shape", "{base: W3, mode: smi}").shape).toMatchObject({ services: 100, mode: "smi" });
    // What is another mesh by now does not go by the name of the old one.
    expect(set("shape.pods", "3")).toMatchObject({ shapeName: "20 x 3", shape: { services: 20, pods: 3 } });
    expect(set("shape.pods", "10")).toMatchObject({ shapeName: "W1", shape: { services: 20, pods: 10 } });
    expect(problemsOf(good, [{ path: "phases.3.rate", value: "20" }])).toEqual([
      "mine.yaml: --set phases.3.rate: there is no entry 3.",
    ]);
    expect(problemsOf(good, [{ path: "name.first", value: "x" }])[0]).toContain('"name" holds no fields');
    for (const path of ["phases.first", "phases.first.rate"]) {
      expect(problemsOf(good, [{ path, value: "1" }])[0]).toContain('"phases" is a list: write the number of an entry');
    }
    expect(set("name", "*x").name).toBe("*x");
  });
});

describe("a plan", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(played(libraryScenario("smoke"))).toEqual(played(libraryScenario("smoke")));
    expect(played(libraryScenario("smoke", [{ path: "seed", value: "2" }]))).not.toEqual(
      played(libraryScenario("smoke")),
    );
  });

  test("of an action for which the world has nothing says what shape to use", () => {
    const shape = "{services: 4, pods: 1, mode: smi, calls: {kind: dag, density: 0}}";
    const text = good.replace("endpoint-churn", "policy-edit").replace("shape: W1", `shape: ${shape}`);
    expect(() => played(readScenario(text, "mine.yaml"))).toThrow(PlanError);
    expect(() => played(readScenario(text, "mine.yaml"))).toThrow("nobody calls anybody. Write other calls.");
  });

  test("of the scenarios that the document shows can be made", () => {
    const document = readFileSync(new URL("../../docs/fleet.md", import.meta.url), "utf8");
    const texts = [...document.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(readScenario(text, "docs/fleet.md").phases).not.toEqual([]);
    expect(played(readScenario(texts[0] ?? "", "docs/fleet.md"))).not.toEqual([]);
  });

  test.each(libraryNames())("of %s, which comes with osm, can be made", (name) => {
    const small = [{ path: "shape", value: "{services: 20, pods: 3, namespaces: 2, mode: smi, splits: 1}" }];
    expect(() => played(libraryScenario(name, small))).not.toThrow();
  });
});

describe("a world", () => {
  test.each(namedShapes.map(({ name, shape }) => [name, shape] as const))(
    "of shape %s has every object once",
    (_, shape) => {
      const { length } = new World(shape).objects();
      const keys = new Set(new World(shape).objects().map(keyOf));
      expect(keys.size).toBe(length);
    },
  );

  test.each(["smi", "permissive"] as const)(
    "whose namespaces have a scope says so in each of them, in mode %s, and without a scope in none",
    (mode) => {
      const shape = { services: 4, pods: 1, namespaces: 2, mode, calls: { kind: "all" }, splits: 0, seed: 1 } as const;
      const scopes = (world: World) =>
        world
          .constantObjects()
          .flatMap(({ kind, metadata }) =>
            kind === "Namespace" ? [[metadata.name, metadata.annotations?.["openservicemesh.io/outbound-scope"]]] : [],
          );
      const names = ["ns-000", "ns-001", "unmeshed"];
      expect(scopes(new World(shape))).toEqual(names.map((name) => [name, undefined]));
      expect(scopes(new World({ ...shape, scope: "namespace" }))).toEqual([
        ["ns-000", ""],
        ["ns-001", ""],
        ["unmeshed", undefined],
      ]);
    },
  );

  test("reaches the folder whole: after all changes the files say what the world is", () => {
    const folder = join(mkdtempSync(join(tmpdir(), "osm-feed-")), "mesh");
    folders.push(join(folder, ".."));
    const text = `name: all
shape: {services: 4, pods: 3, namespaces: 2, mode: smi, scope: namespace, splits: 1}
phases:
  - name: everything
    actions:
${["endpoint-churn", "rolling-update", "policy-edit", "grant-edit", "route-edit", "split-edit", "noise", "pods-added", "pods-removed", "touch"].map((action) => `      - {action: ${action}, rate: 10, for: 1s}`).join("\n")}
      - {action: flip}
      - {action: edit-setting, field: spec.traffic.enableEgress, values: [true]}
${["torn-write", "unreadable", "folder-away", "rewrite-all"].map((kind, n) => `      - {action: source-trouble, kind: ${kind}, at: ${n * 200}ms${n < 3 ? ", lasts: 100ms" : ""}}`).join("\n")}
`;
    const scenario = readScenario(text, "all.yaml");
    const rehearsal = new World(scenario.shape);
    const changing = planPhases(scenario.phases, rehearsal, 1).flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === "change" ? step.apply(rehearsal).files : [])),
    );
    const world = new World(scenario.shape);
    const feed = new FolderFeed(folder);
    feed.writeAll(world, new Set(changing));
    expect(objectsIn(folder)).toEqual(sorted(world.objects()));
    for (const { steps } of planPhases(scenario.phases, world, 1)) {
      for (const step of steps)
        if (step.kind === "change") {
          const { files, trouble } = step.apply(world);
          feed.prepare(world, files, trouble).commit();
        }
    }
    expect(objectsIn(folder)).toEqual(sorted(world.objects()));
  });
});

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
}

function sorted(objects: readonly KubeObject[]): readonly KubeObject[] {
  return [...objects].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

function objectsIn(folder: string): readonly KubeObject[] {
  const objects = readdirSync(folder).flatMap((name) => {
    const content = JSON.parse(readFileSync(join(folder, name), "utf8")) as KubeObject & { items?: KubeObject[] };
    return content.items ?? [content];
  });
  return sorted(objects);
}
