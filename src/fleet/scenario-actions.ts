import { isDeepStrictEqual } from "node:util";
import type { Action, ActionKind, ScenarioBehaviour, SourceTrouble } from "./scenario.ts";
import type { ScenarioNode } from "./scenario-node.ts";
import { SETTINGS, type SettingField, type SettingValue } from "./world-objects.ts";

const ANY = Number.POSITIVE_INFINITY;
const RATE = { min: 0.01, max: 10_000 } as const;
/** Of one action: all of them are planned before the first is made. */
const CHANGES_MAX = 1_000_000;
const SHARE = { min: 0, max: 1 } as const;

export const ACTION_KINDS: readonly ActionKind[] = [
  "endpoint-churn",
  "rolling-update",
  "policy-edit",
  "grant-edit",
  "route-edit",
  "split-edit",
  "touch",
  "noise",
  "pods-added",
  "pods-removed",
  "flip",
  "edit-setting",
  "source-trouble",
  "rotate-certificates",
  "restart",
  "drain",
  "reconnect",
  "behave",
  "rest",
];

const SOURCE_TROUBLES: readonly SourceTrouble[] = [
  "torn-write",
  "unreadable",
  "folder-away",
  "queue-overflow",
  "rewrite-all",
];

/** Of a MeshConfig. */
const TLS_VERSIONS = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"] as const;

/** Read, and refused with the reason. */
const NOT_AVAILABLE = ["api-trouble"] as const;

/** Where an action stands. */
export interface ActionPlace {
  /** Fields beside the action's own. */
  readonly others: readonly string[];
  /** Of the control plane; 0: the run has not started it. */
  readonly replicas: number;
}

/** Reads one action. Undefined when its kind is not known. */
export function readAction(node: ScenarioNode, place: ActionPlace): Action | undefined {
  const { others } = place;
  const which = node.peek("action");
  const kind = which.oneOf([...ACTION_KINDS, ...NOT_AVAILABLE], undefined);
  if (kind === undefined) return undefined;
  if (kind === "api-trouble") {
    which.problem('"api-trouble" needs a source that is a Kubernetes API, and a folder is none. Write source-trouble.');
    return undefined;
  }
  const steady = () => {
    const fields = node.members([...others, "action", "at", "for", "rate"]);
    return steadyOf(fields as never);
  };
  switch (kind) {
    case "endpoint-churn": {
      const fields = node.members([...others, "action", "at", "for", "rate", "merge"]);
      const { merge } = fields as { merge: ScenarioNode };
      return { kind, ...steadyOf(fields as never), merge: merge.number({ min: 1, max: 1000, isWhole: true }, 1) };
    }
    case "rolling-update": {
      const fields = node.members([...others, "action", "at", "for", "rate", "share"]);
      return {
        kind,
        ...steadyOf(fields as never),
        share: (fields as { share: ScenarioNode }).share.number(SHARE, 0.25),
      };
    }
    case "policy-edit":
    case "grant-edit":
    case "route-edit":
    case "split-edit":
    case "touch":
    case "noise":
    case "pods-added":
    case "pods-removed":
      return { kind, ...steady() };
    case "edit-setting":
      return readSettingEdit(node, place);
    case "source-trouble":
      return readSourceTrouble(node, place);
    default:
      return readSingle(node, kind, place);
  }
}

function steadyOf(fields: { readonly at: ScenarioNode; readonly for: ScenarioNode; readonly rate: ScenarioNode }) {
  const [forMs, rate] = [fields.for.duration(), fields.rate.number(RATE)];
  const changes = Math.round((forMs * rate) / 1000);
  if (changes > CHANGES_MAX) {
    fields.rate.problem(`${changes} changes are more than ${CHANGES_MAX}. Write a lower rate or a shorter time.`);
  }
  return { atMs: fields.at.duration(0), forMs, rate };
}

function readSingle(
  node: ScenarioNode,
  kind: "flip" | "rotate-certificates" | "restart" | "drain" | "reconnect" | "behave" | "rest",
  { others, replicas }: ActionPlace,
): Action {
  const atMs = node.peek("at").duration(0);
  const members = <K extends string>(...own: readonly K[]): Record<K, ScenarioNode> =>
    node.members([...others, "action", "at", ...own]) as Record<K, ScenarioNode>;
  const perSecondOf = (field: ScenarioNode) =>
    field.isMissing ? {} : { perSecond: field.number({ min: 1, max: ANY }, 1) };
  switch (kind) {
    case "flip": {
      const { count, every } = members("count", "every");
      const times = count.number({ min: 1, max: 1000, isWhole: true }, 1);
      return { kind, atMs, count: times, everyMs: every.duration(times === 1 ? 0 : undefined) };
    }
    case "rotate-certificates":
      members();
      return { kind, atMs };
    case "restart":
    case "drain": {
      const { replica } = members("replica");
      if (kind === "drain" && replicas < 2) {
        node.problem('"drain" leaves its proxies to other replicas. Write target: {serve: [], replicas: 2}.');
      }
      return { kind, atMs, replica: readReplica(replica, replicas) };
    }
    case "reconnect": {
      const { share, forget, withoutFin, perSecond } = members("share", "forget", "withoutFin", "perSecond");
      return {
        kind,
        atMs,
        share: share.number(SHARE, 1),
        forget: forget.flag(false),
        withoutFin: withoutFin.flag(false),
        ...perSecondOf(perSecond),
      };
    }
    case "behave":
      return {
        kind,
        atMs,
        share: node.peek("share").number(SHARE),
        behaviour: readBehaviour(node, [...others, "action", "at", "share"]),
      };
    case "rest":
      return { kind, atMs, forMs: members("for").for.duration() };
  }
}

function readSettingEdit(node: ScenarioNode, { others }: ActionPlace): Action {
  const atMs = node.peek("at").duration(0);
  const { field, values, count, every } = node.members([
    ...others,
    "action",
    "at",
    "field",
    "values",
    "count",
    "every",
  ]) as Record<"field" | "values" | "count" | "every", ScenarioNode>;
  const name = field.oneOf(Object.keys(SETTINGS) as SettingField[], undefined) ?? "spec.traffic.enableEgress";
  const times = count.number({ min: 1, max: 1000, isWhole: true }, values.items().length || 1);
  const everyMs = every.duration(times === 1 ? 0 : undefined);
  return { kind: "edit-setting", atMs, field: name, values: readValues(values, name, times), count: times, everyMs };
}

function readReplica(node: ScenarioNode, replicas: number): number {
  // Where there are several, they count from 0; of a target that is not the run's own there is nothing to choose.
  if (replicas > 1) return node.number({ min: 0, max: replicas - 1, isWhole: true }, 0);
  const replica = node.number({ min: 0, max: ANY, isWhole: true }, 0);
  if (replica > 0) {
    node.problem(
      `there is one control plane, and found ${node.shown}. Leave this field out, or write target: {serve: [], replicas: 2} for replicas 0 and 1.`,
    );
  }
  return 0;
}

function readSourceTrouble(node: ScenarioNode, { others, replicas }: ActionPlace): Action {
  const atMs = node.peek("at").duration(0);
  const {
    kind: trouble,
    lasts,
    count,
    every,
  } = node.members([...others, "action", "at", "kind", "lasts", "count", "every"]) as Record<
    "kind" | "lasts" | "count" | "every",
    ScenarioNode
  >;
  const name = trouble.oneOf(SOURCE_TROUBLES, undefined) ?? "rewrite-all";
  if (name === "queue-overflow" && replicas === 0) {
    trouble.problem("needs a control plane that the run has started, to hold it up. Write target: serve.");
  }
  const isAtOnce = name === "queue-overflow" || name === "rewrite-all";
  if (isAtOnce && !lasts.isMissing) lasts.problem(`${name} is over at once. Remove this field.`);
  const lastsMs = isAtOnce ? 0 : lasts.duration(500);
  const times = count.number({ min: 1, max: 1000, isWhole: true }, 1);
  const everyMs = every.duration(times === 1 ? 0 : undefined);
  if (times > 1 && everyMs <= lastsMs) every.problem(`more than ${lastsMs} ms, which one lasts, was expected.`);
  return { kind: "source-trouble", atMs, trouble: name, lastsMs, count: times, everyMs };
}

/** Values of a setting, each of which changes something. */
function readValues(node: ScenarioNode, field: SettingField, times: number): readonly SettingValue[] {
  const first = SETTINGS[field];
  const items = node.items();
  const values = items.map((item): SettingValue => {
    if (typeof first === "boolean") return item.flag(first);
    if (typeof first === "string") return item.oneOf(TLS_VERSIONS, undefined) ?? "";
    return item.items().map((each) => each.text(""));
  });
  if (values.length === 0) node.problem(`a list of what ${field} becomes in turn was expected, found ${node.shown}.`);
  let before: SettingValue = first;
  for (let turn = 0; turn < Math.min(times, values.length + 1) && values.length > 0; turn++) {
    const value = values[turn % values.length] as SettingValue;
    const item = items[turn % values.length] as ScenarioNode;
    if (isDeepStrictEqual(value, before)) item.problem(`is what ${field} has before. Write values that differ.`);
    before = value;
  }
  return values;
}

/** Reads `behaviour:` and its numbers; `others`: fields beside them. */
export function readBehaviour(node: ScenarioNode, others: readonly string[]): ScenarioBehaviour {
  const kinds = ["normal", "never-ack", "slow-reader", "nack", "vanish"] as const;
  const kind = node.peek("behaviour").oneOf(kinds, undefined);
  const members = <K extends string>(...own: readonly K[]): Record<K, ScenarioNode> =>
    node.members([...others, "behaviour", ...own]) as Record<K, ScenarioNode>;
  switch (kind) {
    case "slow-reader": {
      const { bytesPerSecond } = members("bytesPerSecond");
      return { kind, bytesPerSecond: bytesPerSecond.number({ min: 0, max: ANY }, 1024) };
    }
    case "nack":
      return { kind, share: members("nackShare").nackShare.number(SHARE, 1) };
    case "vanish":
      return { kind, afterMs: members("after").after.duration(0) };
    case "never-ack":
    case "normal":
      members();
      return { kind };
    default:
      return { kind: "normal" };
  }
}
