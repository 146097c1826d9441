import type { Claims, StreamEnd } from "./protocol.ts";
import type { StreamState } from "./stream-state.ts";
import type { Subscription } from "./subscription.ts";

/** What a request says of names. */
interface NamesSaid {
  readonly named: readonly string[];
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
  if (longest(named, claims) > nameCharsMax || subscription.typeUrl.length > nameCharsMax) {
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

/** Characters of the longest name. */
function longest(named: readonly string[], claims: Claims): number {
  let chars = 0;
  for (let n = 0; n < named.length; n++) chars = Math.max(chars, (named[n] as string).length);
  claims.forEach((_version, name) => {
    chars = Math.max(chars, name.length);
  });
  return chars;
}
