import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { parseHostPort } from "../lib/mod.ts";
import { counted } from "./counted.ts";
import { type BehaviourShare, type Phase, type Scenario, ScenarioError, type ScenarioTarget } from "./scenario.ts";
import { ACTION_KINDS, readAction, readBehaviour } from "./scenario-actions.ts";
import { requireNeeds } from "./scenario-needs.ts";
import { ScenarioNode } from "./scenario-node.ts";
import { parseScenario, type Setting } from "./scenario-yaml.ts";
import { type CallGraph, namedShape, namedShapes, type Shape } from "./shape.ts";

const ANY = Number.POSITIVE_INFINITY;
const SERVICES_MAX = 10_000;
const PROXIES_MAX = 100_000;
const REPLICAS_MAX = 8;

/**
 * Reads a scenario (YAML 1.2 or JSON). Throws {@link ScenarioError} with every problem that was found; a process of the
 * target that does not run on this machine is one.
 */
export function readScenario(text: string, file: string, settings: readonly Setting[] = []): Scenario {
  const { document, problems } = parseScenario(text, { file, settings, fields: FIELDS });
  const scenario = readRoot(new ScenarioNode(document.contents as never, "", problems));
  if (problems.found.length > 0) throw new ScenarioError(file, problems.found);
  return scenario;
}

const FIELDS = [
  "name",
  "workload",
  "description",
  "seed",
  "shape",
  "proxies",
  "protocol",
  "behaviours",
  "target",
  "connectPerSecond",
  "processes",
  "patience",
  "phases",
] as const;

function readRoot(root: ScenarioNode): Scenario {
  const fields = root.members(FIELDS);
  const seed = fields.seed.number({ min: 0, max: 2 ** 31, isWhole: true }, 1);
  const { shapeName, shape } = readShape(fields.shape, seed);
  const pods = shape.services * shape.pods;
  const proxies = fields.proxies.number({ min: 1, max: PROXIES_MAX, isWhole: true }, pods);
  if (proxies > pods) {
    const there = `${counted(shape.services, "service")} of ${counted(shape.pods, "pod")}`;
    fields.proxies.problem(
      `${proxies} proxies are more than the ${pods} pods of the shape (${there}), of which each has one. Make shape.pods larger, or leave proxies out.`,
    );
  }
  const connectPerSecond = optional(fields.connectPerSecond, () =>
    fields.connectPerSecond.number({ min: 1, max: ANY }, 1),
  );
  const processes = optional(fields.processes, () => fields.processes.number({ min: 1, max: 64, isWhole: true }, 1));
  const name = fields.name.text("");
  if (fields.name.isMissing) fields.name.problem("is missing: give the scenario a name.");
  const target = readTarget(fields.target);
  const replicas = target.kind === "serve" ? target.replicas : 0;
  const phases = fields.phases.items().map((item) => readPhase(item, replicas));
  requireServing(fields.phases, phases, replicas);
  requireOneTrouble(fields.phases, phases);
  const patienceMs = fields.patience.duration(30_000);
  if (patienceMs === 0) fields.patience.problem("is no time in which anything can come; write for example 30s.");
  requireNeeds(fields.phases, phases, { shape, target });
  return {
    name,
    workload: fields.workload.text(name),
    description: fields.description.text("").trim(),
    seed,
    shapeName,
    shape,
    proxies,
    protocol: fields.protocol.oneOf(["delta", "sotw"], "delta") ?? "delta",
    behaviours: fields.behaviours.items().map(readShare),
    target,
    ...(connectPerSecond === undefined ? {} : { connectPerSecond }),
    ...(processes === undefined ? {} : { processes }),
    patienceMs,
    phases,
  };
}

function optional<T>(node: ScenarioNode, read: () => T): T | undefined {
  return node.isMissing ? undefined : read();
}

/** Some replica has to serve at any time. */
function requireServing(node: ScenarioNode, phases: readonly Phase[], replicas: number): void {
  const drained = new Set<number>();
  const nodes = node.items();
  for (const [place, { actions }] of phases.entries()) {
    for (const action of [...actions].sort((left, right) => left.atMs - right.atMs)) {
      if (action.kind === "restart") drained.delete(action.replica);
      if (action.kind !== "drain" || replicas < 2) continue;
      const { replica } = action;
      if (drained.has(replica)) nodes[place]?.problem(`replica ${replica} is drained already. Restart it before.`);
      drained.add(replica);
      if (drained.size === replicas) nodes[place]?.problem("no replica would serve any more. Restart another before.");
    }
  }
}

/** Two troubles at once would be about one file, or a folder that is not there. */
function requireOneTrouble(node: ScenarioNode, phases: readonly Phase[]): void {
  const nodes = node.items();
  for (const [place, { actions }] of phases.entries()) {
    const troubles = actions.flatMap((action) => {
      if (action.kind !== "source-trouble") return [];
      const { atMs, count, everyMs, lastsMs } = action;
      return Array.from({ length: count }, (_, turn) => [atMs + turn * everyMs, lastsMs] as const);
    });
    troubles.sort(([left], [right]) => left - right);
    let endMs = Number.NEGATIVE_INFINITY;
    for (const [startMs, lastsMs] of troubles) {
      if (startMs <= endMs) {
        nodes[place]?.problem(
          `a source-trouble begins after ${startMs} ms, before another is over. Give it a later at.`,
        );
        break;
      }
      endMs = startMs + lastsMs;
    }
  }
}

function readShape(node: ScenarioNode, seed: number): { readonly shapeName: string; readonly shape: Shape } {
  const known = namedShapes.map(({ name }) => name);
  if (node.isMissing || node.isText) {
    const name = node.oneOf(known, undefined) ?? "W1";
    const shape = namedShape(name) as Shape;
    return { shapeName: name, shape: { ...shape, seed } };
  }
  const fields = node.members(["base", "services", "pods", "namespaces", "mode", "scope", "calls", "splits"]);
  const baseName = fields.base.isMissing ? undefined : fields.base.oneOf(known, undefined);
  const base = baseName === undefined ? undefined : namedShape(baseName);
  const services = fields.services.number({ min: 1, max: SERVICES_MAX, isWhole: true }, base?.services);
  const pods = fields.pods.number({ min: 1, max: PROXIES_MAX, isWhole: true }, base?.pods);
  if (services * pods > PROXIES_MAX) {
    node.problem(`${services} services of ${pods} pods are more than ${PROXIES_MAX} pods. Make one of them smaller.`);
  }
  const namespaces = fields.namespaces.number(
    { min: 1, max: Math.min(1000, services), isWhole: true },
    Math.min(base?.namespaces ?? 10, services),
  );
  const mode = fields.mode.oneOf(["permissive", "smi"], base?.mode ?? "permissive") ?? "permissive";
  const scope = fields.scope.oneOf(["none", "namespace"], base?.scope ?? "none");
  const calls = fields.calls.isMissing
    ? (base?.calls ?? ({ kind: "all" } as const))
    : readCalls(fields.calls, services);
  const splits = fields.splits.number({ min: 0, max: services, isWhole: true }, base?.splits ?? 0);
  const unscoped: Shape = { services, pods, namespaces, mode, calls, splits, seed };
  const shape: Shape = scope === "namespace" ? { ...unscoped, scope } : unscoped;
  const isNamed = baseName !== undefined && isDeepStrictEqual(shape, { ...base, seed });
  return { shapeName: isNamed ? baseName : `${services} x ${pods}`, shape };
}

function readCalls(node: ScenarioNode, services: number): CallGraph {
  const count = { min: 1, max: SERVICES_MAX, isWhole: true } as const;
  /** No more than there are: a smaller graph than was asked for would be another measurement. */
  const upTo = (field: ScenarioNode, most: number, what: string) => {
    const value = field.number(count);
    if (value > most)
      field.problem(
        `${value} is more than the ${counted(most, what)} there. Make it smaller, or shape.services larger.`,
      );
    return value;
  };
  const kinds = ["all", "degree", "hubs", "groups", "namespace", "dag", "ladder"] as const;
  if (node.isText) {
    const kind = node.oneOf(kinds, "all");
    if (kind === "degree" || kind === "hubs" || kind === "groups") {
      node.problem(`"${kind}" needs numbers. Write a map, for example {kind: degree, degree: 10}.`);
    }
    if (kind === "dag") return { kind, density: 0.5 };
    return kind === "ladder" || kind === "namespace" ? { kind } : { kind: "all" };
  }
  const kind = node.peek("kind").oneOf(kinds, undefined);
  switch (kind) {
    case "degree":
      return { kind, degree: upTo(node.members(["kind", "degree"]).degree, services - 1, "other service") };
    case "hubs": {
      const { hubs, degree } = node.members(["kind", "hubs", "degree"]);
      return { kind, hubs: upTo(hubs, services, "service"), degree: upTo(degree, services - 1, "other service") };
    }
    case "groups":
      return { kind, size: upTo(node.members(["kind", "size"]).size, services, "service") };
    case "dag":
      return { kind, density: node.members(["kind", "density"]).density.number({ min: 0, max: 1000 }, 0.5) };
    case "namespace":
    case "ladder":
      node.members(["kind"]);
      return { kind };
    default:
      return { kind: "all" };
  }
}

function readShare(node: ScenarioNode): BehaviourShare {
  const share = node.peek("share").number({ min: 0, max: 1 });
  return { share, behaviour: readBehaviour(node, ["share"]) };
}

function readTarget(node: ScenarioNode): ScenarioTarget {
  if (node.isMissing) return { kind: "serve", flags: [], replicas: 1 };
  if (node.isText) {
    const text = node.text("");
    if (text === "serve") return { kind: "serve", flags: [], replicas: 1 };
    return { kind: "address", address: readAddress(node) };
  }
  if (!node.peek("serve").isMissing || !node.peek("replicas").isMissing) {
    const { serve, replicas } = node.members(["serve", "replicas"]);
    const flags = serve.items().map((item) => item.text(""));
    return { kind: "serve", flags, replicas: replicas.number({ min: 1, max: REPLICAS_MAX, isWhole: true }, 1) };
  }
  const { address, folder, admin, pid } = node.members(["address", "folder", "admin", "pid"]);
  if (address.isMissing) address.problem("is missing: write HOST:PORT, or serve: [] for a control plane of its own.");
  const processId = optional(pid, () => pid.number({ min: 1, max: 2 ** 31 - 1, isWhole: true }, process.pid));
  if (processId !== undefined && !isRunning(processId)) {
    pid.problem(`there is no process ${processId}. Write the id of the control plane's, or leave it out.`);
  }
  return {
    kind: "address",
    address: readAddress(address),
    ...(folder.isMissing ? {} : { folder: folder.text("") }),
    ...(admin.isMissing ? {} : { admin: admin.text("") }),
    ...(processId === undefined ? {} : { pid: processId }),
  };
}

function readAddress(node: ScenarioNode): string {
  const address = node.text("");
  const isGood = address.startsWith("unix:") || parseHostPort(address) !== undefined;
  if (!isGood && node.isText) node.problem(`HOST:PORT or unix:PATH was expected, found ${node.shown}.`);
  return address;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's may not be signalled.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A phase of several actions, or one action that is a phase. */
function readPhase(node: ScenarioNode, replicas: number): Phase {
  if (!node.peek("action").isMissing) {
    const action = readAction(node, { others: ["name"], replicas });
    return { name: node.peek("name").text(action?.kind ?? ""), actions: action === undefined ? [] : [action] };
  }
  if (node.peek("actions").isMissing) {
    node.problem(
      `an action was expected. Write action: with one of ${ACTION_KINDS.join(", ")}; or actions: with a list.`,
    );
    return { name: "", actions: [] };
  }
  const { name, actions } = node.members(["name", "actions"]);
  const read = actions.items().flatMap((item) => readAction(item, { others: [], replicas }) ?? []);
  return { name: name.text(read.map(({ kind }) => kind).join(" + ")), actions: read };
}
