import { ABSENT, ASKED, type Held, UNCERTAIN, versionIn } from "./held-names.ts";
import type { Verdict } from "./protocol.ts";
import { boundedMessage, namesIn } from "./refusals.ts";
import type { StreamState } from "./stream-state.ts";
import { hasLegacyWildcard, isSubscribed, type Outstanding, type Subscription } from "./subscription.ts";

const NONE: readonly Verdict[] = [];

/** What the verdicts of one input are gathered in: nearly always one or none, for which no array has to grow. */
export class Verdicts {
  list: readonly Verdict[] = NONE;

  add(verdict: Verdict): void {
    this.list = this.list.length === 0 ? [verdict] : [...this.list, verdict];
  }
}

/**
 * Takes the client's verdict on the outstanding response. A nonce of another response, another type or another stream
 * is no verdict.
 */
export function judge(
  state: StreamState,
  subscription: Subscription,
  nonce: string,
  error: string | undefined,
  verdicts: Verdicts,
): void {
  const outstanding = subscription.outstanding;
  if (outstanding === undefined || nonce !== outstanding.response.nonce) return;
  subscription.outstanding = undefined;
  verdicts.add(
    error === undefined
      ? accept(state, subscription, outstanding)
      : refuse(state, subscription, outstanding, boundedMessage(error)),
  );
}

function accept(state: StreamState, subscription: Subscription, { response }: Outstanding): Verdict {
  const { memory, protocol } = state.options;
  if (!memory.isEmpty()) {
    for (const { name } of response.resources) memory.markCertain(subscription.typeUrl, name);
    for (const name of response.removed) memory.markCertain(subscription.typeUrl, name);
  }
  if (protocol === "sotw" && hasLegacyWildcard(subscription.typeUrl)) {
    subscription.accepted = new Map(response.resources.map((resource) => [resource.name, resource]));
  }
  return { kind: "acked", response };
}

/**
 * Envoy applies the good resources of a refused response and names the bad ones in its message. Where the message names
 * none, each of several is a suspect: none of these versions is sent again on this stream, and what the client holds is
 * unknown. When it reconnects, each is tried alone.
 */
function refuse(state: StreamState, subscription: Subscription, outstanding: Outstanding, message: string): Verdict {
  const { response, before } = outstanding;
  const { typeUrl, pending } = subscription;
  const { memory } = state.options;
  const changed = response.resources
    .map((resource, position) => ({ resource, held: before[position] ?? ABSENT }))
    .filter(({ resource, held }) => resource.version !== versionIn(held));
  const changedNames = changed.map(({ resource }) => resource.name);
  const named = namesIn(message, changedNames);
  const culprits = new Set(named.length > 0 ? named : changedNames);
  const isSure = named.length > 0 || culprits.size === 1;

  for (const name of response.removed) memory.markUncertain(typeUrl, name);
  for (const { resource, held } of changed) {
    const { name, version } = resource;
    if (!culprits.has(name) || !isSure) memory.markUncertain(typeUrl, name);
    if (!culprits.has(name)) continue;
    if (isSure) memory.refuse(typeUrl, name, version);
    else memory.suspect(typeUrl, name, version);
    if (isSubscribed(subscription, name) && pending.get(name) !== ASKED) {
      pending.set(name, isSure ? heldAfterRefusal(held) : UNCERTAIN);
    }
  }
  const names = culprits.size > 0 ? [...culprits] : response.resources.map(({ name }) => name);
  return { kind: "nacked", response, names, message };
}

function heldAfterRefusal(before: Held): Held {
  if (before === ABSENT) return ABSENT;
  return versionIn(before) ?? UNCERTAIN;
}
