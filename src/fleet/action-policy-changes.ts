/** Changes of policies, and of what holds for the whole mesh. */
import { isDeepStrictEqual } from "node:util";
import {
  allServices,
  type ChangeContext,
  type ChangeStep,
  PlanError,
  type Sign,
  steady,
  turns,
} from "./action-changes.ts";
import { seersOfRoute } from "./oracle-expectation.ts";
import {
  clusterOf,
  INBOUND_LISTENER,
  INBOUND_ROUTE,
  OUTBOUND_LISTENER,
  outboundRouteOf,
  PASSTHROUGH_CLUSTER,
  TYPE_URL,
} from "./oracle-names.ts";
import type { Action, ActionKind } from "./scenario.ts";
import type { World } from "./world.ts";
import { SETTINGS, type SettingField, type SettingValue } from "./world-objects.ts";

function requirePolicies(world: World, kind: ActionKind): readonly number[] {
  const called = allServices(world).filter((service) => (world.callers[service]?.length ?? 0) > 0);
  if (called.length > 0) return called;
  throw new PlanError(`"${kind}" edits access policies, and in this shape nobody calls anybody. Write other calls.`);
}

export function policyEdits(action: Extract<Action, { kind: "policy-edit" }>, { world, random, fresh }: ChangeContext) {
  const next = turns(requirePolicies(world, action.kind), random);
  return steady(action, (turn) => {
    const service = next(turn);
    const source = { namespace: world.namespace(service), name: `client-${String(fresh.number()).padStart(6, "0")}` };
    return {
      apply(now) {
        now.furtherSources.set(service, source);
        const contains = now.principal(source);
        const sign = { typeUrl: TYPE_URL.route, name: INBOUND_ROUTE, contains, services: [service] };
        return { files: [`policy ${service}`], signs: now.isPermissive ? [] : [sign], isComplete: true };
      },
    };
  });
}

export function grantEdits(action: Extract<Action, { kind: "grant-edit" }>, { world, random }: ChangeContext) {
  const next = turns(requirePolicies(world, action.kind), random);
  const granted = new Map<number, number>();
  return steady(action, (turn) => {
    const service = next(turn);
    const other = Math.floor(random() * world.services);
    return {
      apply(now) {
        const callers = now.callers[service] ?? [];
        const before = granted.get(service);
        const name = clusterOf(now, service);
        if (before !== undefined) {
          granted.delete(service);
          now.callers[service] = callers.filter((caller) => caller !== before);
        } else if (!callers.includes(other)) {
          granted.set(service, other);
          now.callers[service] = [...callers, other].sort((left, right) => left - right);
        }
        const changed = before ?? granted.get(service);
        const isSplit = [...now.splits].some(([apex, backends]) =>
          [apex, ...backends.map((backend) => backend.service)].includes(service),
        );
        // With a split the cluster may be there for other reasons.
        if (changed === undefined || isSplit || now.isPermissive) {
          return { files: [`policy ${service}`], signs: [], isComplete: false };
        }
        const sign = { typeUrl: TYPE_URL.cluster, name, contains: name, services: [changed] };
        const signs: readonly Sign[] = [before === undefined ? sign : { ...sign, absent: true }];
        return { files: [`policy ${service}`], signs, isComplete: false };
      },
    };
  });
}

export function routeEdits(action: Extract<Action, { kind: "route-edit" }>, { world, random, fresh }: ChangeContext) {
  const next = turns(requirePolicies(world, action.kind), random);
  return steady(action, (turn) => {
    const service = next(turn);
    const path = `/items-${String(fresh.number()).padStart(6, "0")}`;
    return {
      apply(now) {
        now.paths.set(service, path);
        const sign = { typeUrl: TYPE_URL.route, name: INBOUND_ROUTE, contains: path, services: [service] };
        return { files: [`routes ${service}`], signs: now.isPermissive ? [] : [sign], isComplete: true };
      },
    };
  });
}

export function splitEdits(action: Extract<Action, { kind: "split-edit" }>, { world, random }: ChangeContext) {
  const apexes = [...world.splits.keys()];
  const next = turns(apexes, random);
  return steady(action, (turn) => {
    const apex = next(turn);
    const weight = 1 + (Math.floor(turn / apexes.length) % 99);
    return {
      apply(now) {
        const [first, ...others] = now.splits.get(apex) ?? [];
        if (first === undefined) return { files: [], signs: [], isComplete: true };
        const before = first.weight;
        // Never the weight that it has.
        const weightNow = weight === before ? 100 : weight;
        now.splits.set(apex, [{ ...first, weight: weightNow }, ...others]);
        const sign = {
          typeUrl: TYPE_URL.route,
          name: outboundRouteOf(now, apex),
          contains: weightText(clusterOf(now, first.service), weightNow),
          services: seersOfRoute(now, apex),
        };
        return { files: [`split ${apex}`], signs: [sign], isComplete: true };
      },
    };
  });
}

/**
 * A weighted cluster as protobuf writes it (`name` = 1, `weight` = 2, a UInt32Value): below 128 all of it is ASCII.
 */
function weightText(cluster: string, weight: number): string {
  return `${cluster}\u0012\u0002\u0008${String.fromCharCode(weight)}`;
}

export function flips(action: Extract<Action, { kind: "flip" }>, { world }: ChangeContext): readonly ChangeStep[] {
  return Array.from(
    { length: action.count },
    (_, turn): ChangeStep => ({
      kind: "change",
      action: action.kind,
      atMs: action.atMs + turn * action.everyMs,
      apply(now) {
        now.isPermissive = !now.isPermissive;
        // Every proxy's own rules change, whoever may call it.
        const sign = { typeUrl: TYPE_URL.route, name: INBOUND_ROUTE, contains: "", services: allServices(world) };
        return { files: ["config"], signs: [sign], isComplete: false };
      },
    }),
  );
}

export function settingEdits(
  action: Extract<Action, { kind: "edit-setting" }>,
  { world }: ChangeContext,
): readonly ChangeStep[] {
  const { field, values, count, everyMs } = action;
  return Array.from({ length: count }, (_, turn): ChangeStep => {
    const value = values[turn % values.length] as SettingValue;
    return {
      kind: "change",
      action: action.kind,
      atMs: action.atMs + turn * everyMs,
      apply(now) {
        if (isDeepStrictEqual(now.settings.get(field) ?? SETTINGS[field], value)) {
          return { files: [], signs: [], isComplete: false };
        }
        now.settings.set(field, value);
        return { files: ["config"], signs: [settingSign(world, field, value)], isComplete: false };
      },
    };
  });
}

/** One resource of every proxy that says what the setting is. */
function settingSign(world: World, field: SettingField, value: SettingValue): Sign {
  const services = allServices(world);
  if (field !== "spec.traffic.enableEgress") {
    return { typeUrl: TYPE_URL.listener, name: INBOUND_LISTENER, contains: "", services };
  }
  const sign = { typeUrl: TYPE_URL.listener, name: OUTBOUND_LISTENER, contains: PASSTHROUGH_CLUSTER };
  if (value === true) return { ...sign, services };
  return { ...sign, absent: true, services };
}
