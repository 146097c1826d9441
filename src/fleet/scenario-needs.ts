import type { Action, Phase, ScenarioTarget } from "./scenario.ts";
import type { ScenarioNode } from "./scenario-node.ts";
import { type Shape, splitsOf } from "./shape.ts";

interface Given {
  readonly shape: Shape;
  readonly target: ScenarioTarget;
}

/** Actions that a bare address is enough for. */
const WITHOUT_FOLDER = new Set(["reconnect", "behave", "rest"]);
/** Those that change no folder either, and need something else: `drain` more than one replica, which is asked for where it is read. */
const BESIDE_FOLDER = new Set(["restart", "drain", "rotate-certificates"]);

/** Reports actions that need what shape and target do not give, each at its phase. */
export function requireNeeds(node: ScenarioNode, phases: readonly Phase[], given: Given): void {
  const { target } = given;
  const changing = phases
    .flatMap(({ actions }) => actions)
    .find(({ kind }) => !WITHOUT_FOLDER.has(kind) && !BESIDE_FOLDER.has(kind));
  if (changing !== undefined && target.kind === "address" && target.folder === undefined) {
    node.problem(
      `"${changing.kind}" changes what the control plane reads, and target names an address alone. Add target.folder, or use ${[...WITHOUT_FOLDER].join(", ")}.`,
    );
    return;
  }
  const nodes = node.items();
  for (const [place, { actions }] of phases.entries()) {
    for (const need of new Set(actions.map((action) => needOf(action, given)))) {
      if (need !== undefined) nodes[place]?.problem(need);
    }
  }
}

function needOf({ kind }: Action, { shape, target }: Given): string | undefined {
  switch (kind) {
    case "policy-edit":
    case "grant-edit":
    case "route-edit":
      if (shape.mode === "smi") return undefined;
      return `"${kind}" edits access policies, and the shape has none. Write a shape with mode: smi.`;
    case "split-edit":
      if (splitsOf(shape).length > 0) return undefined;
      return `"${kind}" edits TrafficSplits, and the shape has none. Write a shape with splits: 1 or more.`;
    case "restart":
      if (target.kind === "serve") return undefined;
      return `"${kind}" needs a control plane that the run has started. Write target: serve.`;
    case "rotate-certificates":
      if (target.kind === "serve" || target.admin !== undefined) return undefined;
      return `"${kind}" asks the control plane for it. Add target.admin.`;
    default:
      return undefined;
  }
}
