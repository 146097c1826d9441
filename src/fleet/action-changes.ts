import type { FeedTrouble } from "./feed.ts";
import { seersOfEndpoints } from "./oracle-expectation.ts";
import { clusterOf, LEAF_SECRET, TYPE_URL } from "./oracle-names.ts";
import type { Action, ActionKind } from "./scenario.ts";
import type { FileKey, World } from "./world.ts";

/** What shows that a change has arrived at a proxy, and who has to see it. */
export interface Sign {
  readonly typeUrl: string;
  readonly name: string;
  /** UTF-8 in the bytes of the resource. */
  readonly contains: string;
  readonly absent?: boolean;
  /** Services whose proxies have to see it. */
  readonly services: readonly number[];
}

/** What a change has done to the world. */
export interface Effect {
  /** Files to write, in this order. */
  readonly files: readonly FileKey[];
  readonly signs: readonly Sign[];
  /**
   * Whether the signs say all that has to be delivered, each one response. Where false, what has to be delivered is not
   * counted.
   */
  readonly isComplete: boolean;
  /** Pods that were started anew: their proxies start cold. */
  readonly restarted?: readonly number[];
  readonly started?: readonly number[];
  readonly ended?: readonly number[];
  /** What goes wrong with the folder, just before the files are written. */
  readonly trouble?: FeedTrouble;
  /** When its signs have arrived, the control plane has got over a trouble. */
  readonly isRecovery?: true;
}

/** A change of the world at a time of its phase. */
export interface ChangeStep {
  readonly kind: "change";
  readonly action: ActionKind;
  readonly atMs: number;
  readonly apply: (world: World) => Effect;
}

/** Addresses and names that were never used before, over a whole run. */
export interface Fresh {
  address(): string;
  number(): number;
}

/** An action that the scenario's world gives nothing to do; the message says what to change. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}

/** What changes are planned with. */
export interface ChangeContext {
  readonly world: World;
  readonly random: () => number;
  readonly fresh: Fresh;
}

type Timed = { readonly atMs: number; readonly forMs: number; readonly rate: number };

/** Times of a steady rate; `turn` counts from 0. */
export function steady(
  action: Timed & { readonly kind: ActionKind },
  make: (turn: number) => Omit<ChangeStep, "kind" | "action" | "atMs">,
) {
  const count = Math.max(1, Math.round((action.forMs * action.rate) / 1000));
  return Array.from({ length: count }, (_, turn): ChangeStep => {
    const atMs = action.atMs + (turn * 1000) / action.rate;
    return { kind: "change", action: action.kind, atMs, ...make(turn) };
  });
}

/** Services in a drawn order, again and again: none comes twice before all have come. */
export function turns(services: readonly number[], random: () => number): (turn: number) => number {
  const order = [...services];
  for (let place = order.length - 1; place > 0; place--) {
    const other = Math.floor(random() * (place + 1));
    [order[place], order[other]] = [order[other] as number, order[place] as number];
  }
  return (turn) => order[turn % order.length] as number;
}

export const allServices = (world: World) => Array.from({ length: world.services }, (_, service) => service);

/** The endpoint of a pod that moves, as those who see it have to be told. */
export function endpointSign(world: World, service: number, address: string): Sign {
  const services = seersOfEndpoints(world, service);
  return { typeUrl: TYPE_URL.endpoints, name: clusterOf(world, service), contains: address, services };
}

export function churn(
  action: Extract<Action, { kind: "endpoint-churn" }>,
  { world, random, fresh }: ChangeContext,
): readonly ChangeStep[] {
  const next = turns(allServices(world), random);
  const count = Math.max(1, Math.round((action.forMs * action.rate) / 1000));
  return Array.from({ length: count }, (_, turn): ChangeStep => {
    const service = next(turn);
    const address = fresh.address();
    const burst = Math.floor(turn / action.merge) * action.merge;
    return {
      kind: "change",
      action: action.kind,
      atMs: action.atMs + (burst * 1000) / action.rate,
      apply(now) {
        const [pod] = now.podsOf(service);
        if (pod === undefined) return { files: [], signs: [], isComplete: true };
        const files = now.movePod(pod, address);
        return { files, signs: [endpointSign(now, service, address)], isComplete: true };
      },
    };
  });
}

export function rollingUpdate(
  action: Extract<Action, { kind: "rolling-update" }>,
  { world, random, fresh }: ChangeContext,
) {
  const next = turns(allServices(world), random);
  const services = Array.from({ length: Math.max(1, Math.round(world.services * action.share)) }, (_, n) => next(n));
  const pods = services.flatMap((service) => world.podsOf(service));
  const count = Math.min(pods.length, Math.max(1, Math.round((action.forMs * action.rate) / 1000)));
  return steady({ ...action, forMs: (count * 1000) / action.rate }, (turn) => {
    const pod = pods[turn % pods.length];
    const address = fresh.address();
    return {
      apply(now) {
        const current = pod === undefined ? undefined : now.pod(pod.id);
        if (current === undefined) return { files: [], signs: [], isComplete: true };
        const files = now.movePod(current, address);
        const signs = [endpointSign(now, current.service, address)];
        return { files, signs, isComplete: false, restarted: [current.id] };
      },
    };
  });
}

export function touches(action: Extract<Action, { kind: "touch" }>, { world, random }: ChangeContext) {
  const next = turns(allServices(world), random);
  return steady(action, (turn) => {
    const key: FileKey = `slice ${next(turn)} 0`;
    return { apply: () => ({ files: [key], signs: [], isComplete: true }) };
  });
}

export function noise(action: Extract<Action, { kind: "noise" }>, { world, random, fresh }: ChangeContext) {
  const next = turns(allServices(world), random);
  const strangers = 100;
  return steady(action, (turn) => {
    const pod = turn % 2 === 0 ? undefined : world.podsOf(next(turn >> 1)).at(1);
    const note = `seen ${fresh.number()} times`;
    const n = turn % strangers;
    return {
      apply(now) {
        const current = pod === undefined ? undefined : now.pod(pod.id);
        const files = current === undefined ? now.noteStranger(n, note) : now.notePod(current, note);
        return { files, signs: [], isComplete: true };
      },
    };
  });
}

export function podsAdded(action: Extract<Action, { kind: "pods-added" }>, { world, random }: ChangeContext) {
  const next = turns(allServices(world), random);
  return steady(action, (turn) => {
    const service = next(turn);
    return {
      apply(now) {
        const { pod, files } = now.addPod(service);
        return { files, signs: [endpointSign(now, service, pod.address)], isComplete: false, started: [pod.id] };
      },
    };
  });
}

export function podsRemoved(action: Extract<Action, { kind: "pods-removed" }>, { world, random }: ChangeContext) {
  const next = turns(allServices(world), random);
  return steady(action, (turn) => {
    const service = next(turn);
    return {
      apply(now) {
        const pods = now.podsOf(service);
        const pod = pods.at(-1);
        if (pod === undefined || pods.length < 2) return { files: [], signs: [], isComplete: false };
        const files = now.removePod(pod);
        const sign = { ...endpointSign(now, service, pod.address), absent: true };
        return { files, signs: [sign], isComplete: false, ended: [pod.id] };
      },
    };
  });
}

/** What a rotation of all certificates shows at every proxy. */
export function rotationSign(world: World): Sign {
  return { typeUrl: TYPE_URL.secret, name: LEAF_SECRET, contains: "", services: allServices(world) };
}
