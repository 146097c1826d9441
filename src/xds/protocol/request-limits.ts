import type { Claims, SaidNames, StreamEnd } from "./protocol.ts";
import type { StreamState } from "./stream-state.ts";
import type { Subscription } from "./subscription.ts";
import { WireClaims } from "./wire-claims.ts";
import { longestOf, WireNames } from "./wire-names.ts";

/** What a request says of names. */
interface NamesSaid {
  readonly named: SaidNames;
  readonly claims: Claims;
  readonly leaving: readonly string[];
}

/** Why a stream has to end that asks for more than it may; undefined where it stays within its bounds. */
export function withinLimits(
  state: StreamState,
  subscription: Subscription,
  { named, claims, leaving }: NamesSaid,
): StreamEnd | undefined {
  const { namesMax, nameCharsMax, typesMax } = state.limits;
  const exhausted = (message: string): StreamEnd => ({ code: "RESOURCE_EXHAUSTED", message });
  if (!state.subscriptions.includes(subscription) && state.subscriptions.length >= typesMax) {
    return exhausted(`a stream may ask for at most ${typesMax} resource types`);
  }
  if (hasLonger(named, claims, nameCharsMax) || subscription.typeUrl.length > nameCharsMax) {
    return exhausted(`a resource name or a type URL may have at most ${nameCharsMax} characters`);
  }
  if (named.length + claims.size + subscription.names.size <= namesMax) return undefined;
  const after = new Set(subscription.names);
  for (const name of leaving) after.delete(name);
  for (const name of named) after.add(name);
  for (const name of claims.keys()) after.add(name);
  if (after.size > namesMax) return exhausted(`a stream may name at most ${namesMax} resources of one type`);
  return undefined;
}

/** Whether a name has more characters than this. It never has more of them than bytes. */
function hasLonger(named: SaidNames, claims: Claims, charsMax: number): boolean {
  const areNamesShort = named instanceof WireNames && longestOf(named.places, 2) <= charsMax;
  if (!areNamesShort) for (const name of named) if (name.length > charsMax) return true;
  if (claims instanceof WireClaims && longestOf(claims.places, 4) <= charsMax) return false;
  let isLonger = false;
  claims.forEach((_version, name) => {
    isLonger ||= name.length > charsMax;
  });
  return isLonger;
}
