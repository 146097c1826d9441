import {
  type ChangeContext,
  type ChangeStep,
  churn,
  type Fresh,
  noise,
  podsAdded,
  podsRemoved,
  rollingUpdate,
  touches,
} from "./action-changes.ts";
import { flips, grantEdits, policyEdits, routeEdits, settingEdits, splitEdits } from "./action-policy-changes.ts";
import { sourceTroubles } from "./action-source-trouble.ts";
import type { Action, Phase } from "./scenario.ts";
import { randomNumbers } from "./shape.ts";
import type { World } from "./world.ts";
import { furtherAddress } from "./world-objects.ts";

/** Something that is done to proxies or to the control plane. */
export interface OperationStep {
  readonly kind: "operation";
  readonly atMs: number;
  readonly action: Extract<
    Action,
    { readonly kind: "rotate-certificates" | "restart" | "drain" | "reconnect" | "behave" | "rest" }
  >;
}

export type Step = ChangeStep | OperationStep;

export interface PlannedPhase {
  readonly name: string;
  /** In order of time. */
  readonly steps: readonly Step[];
  /** Until the last action ends. */
  readonly lengthMs: number;
}

/**
 * When each change of each phase is made. `world` is read, not changed. The same scenario gives the same plan. Throws
 * `PlanError`.
 */
export function planPhases(phases: readonly Phase[], world: World, seed: number): readonly PlannedPhase[] {
  const random = randomNumbers(seed ^ 0x5ce9a210);
  let addresses = 0;
  let numbers = 0;
  const fresh: Fresh = { address: () => furtherAddress(addresses++), number: () => numbers++ };
  return phases.map(({ name, actions }) => {
    const steps = actions.flatMap((action) => stepsOf(action, { world, random, fresh }));
    const ends = actions.map((action) => ("forMs" in action ? action.atMs + action.forMs : action.atMs));
    const sorted = steps.map((step, place) => ({ step, place }));
    sorted.sort((left, right) => left.step.atMs - right.step.atMs || left.place - right.place);
    return { name, steps: sorted.map(({ step }) => step), lengthMs: Math.max(0, ...ends) };
  });
}

function stepsOf(action: Action, context: ChangeContext): readonly Step[] {
  switch (action.kind) {
    case "endpoint-churn":
      return churn(action, context);
    case "rolling-update":
      return rollingUpdate(action, context);
    case "policy-edit":
      return policyEdits(action, context);
    case "grant-edit":
      return grantEdits(action, context);
    case "route-edit":
      return routeEdits(action, context);
    case "split-edit":
      return splitEdits(action, context);
    case "touch":
      return touches(action, context);
    case "noise":
      return noise(action, context);
    case "pods-added":
      return podsAdded(action, context);
    case "pods-removed":
      return podsRemoved(action, context);
    case "flip":
      return flips(action, context);
    case "source-trouble":
      return sourceTroubles(action, context);
    case "edit-setting":
      return settingEdits(action, context);
    default:
      return [{ kind: "operation", atMs: action.atMs, action }];
  }
}
