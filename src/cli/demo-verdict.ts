import type { CallCount, Expectation } from "../main/mod.ts";
import { isServed } from "./demo-traffic.ts";

/** How what was seen compares with what was expected. */
export interface Verdict {
  /** `open`: too few calls yet to say. */
  readonly state: "met" | "open" | "unmet";
  readonly expected: string;
  readonly observed: string;
}

/** Calls after which "each" and "none" count as shown. */
const CALLS_MIN = 20;
/** Calls after which shares count as shown. */
const SHARE_CALLS_MIN = 100;
/**
 * Shares may miss by so many standard deviations of a binomial distribution: wrong in one run of 15,000. Shares of all and
 * of nothing have no deviation: they are exact.
 */
const DEVIATIONS_MAX = 4;

/** Judges `expectation` by the calls from its `from` that were counted in some span of time. */
export function judge(expectation: Expectation, calls: readonly CallCount[]): Verdict {
  const { kind, from, to } = expectation;
  const mine = calls.filter((call) => call.to === to);
  const total = sum(mine);
  const served = sum(mine.filter(isServed));
  const observed = `${served} of ${total} calls served${failuresIn(mine)}`;
  switch (kind) {
    case "served":
      return {
        state: served < total ? "unmet" : total < CALLS_MIN ? "open" : "met",
        expected: `${from} -> ${to}: every call is served`,
        observed,
      };
    case "refused":
      return {
        state: mine.every(isRefused) ? (total < CALLS_MIN ? "open" : "met") : "unmet",
        expected: `${from} -> ${to}: every call is refused at once`,
        observed,
      };
    case "unbroken":
      return {
        state: served < total ? "unmet" : total < CALLS_MIN ? "open" : "met",
        expected: `${from} -> ${to}: no call fails while this is done`,
        observed: `${total - served} of ${total} calls failed${failuresIn(mine)}`,
      };
    case "shares":
      return judgeShares(expectation, mine.filter(isServed));
  }
}

/** Refused by the mesh, and at once: neither a failure on the way nor silence. */
export function isRefused({ outcome }: Pick<CallCount, "outcome">): boolean {
  return outcome === "refused" || outcome === "reset" || outcome === "403";
}

function judgeShares(
  { from, to, shares }: Extract<Expectation, { kind: "shares" }>,
  served: readonly CallCount[],
): Verdict {
  const total = sum(served);
  const parts = Object.entries(shares).map(([seller, share]) => {
    const count = sum(served.filter(({ answeredBy }) => answeredBy === seller));
    const bound = DEVIATIONS_MAX * Math.sqrt(total * share * (1 - share));
    return { seller, share, count, bound, isMet: Math.abs(count - total * share) <= bound };
  });
  const others = total - parts.reduce((all, { count }) => all + count, 0);
  const isMet = others === 0 && parts.every((part) => part.isMet);
  const isEnough = total >= SHARE_CALLS_MIN;
  const isExact = parts.every(({ bound }) => bound === 0);
  const bound = parts[0]?.bound ?? 0;
  const margin = isExact ? "exactly" : `within ${DEVIATIONS_MAX} standard deviations: ${bound.toFixed(0)} calls`;
  return {
    // Exact shares are missed by one call; others need their number to be judged.
    state: isMet ? (isEnough ? "met" : "open") : isEnough || isExact ? "unmet" : "open",
    expected: `${from} -> ${to}: ${parts.map(({ seller, share }) => `${seller} answers ${percent(share)}`).join(", ")} (${margin})`,
    observed: `of ${total} calls ${parts.map(({ seller, count }) => `${seller} answered ${count}`).join(", ")}${others === 0 ? "" : `, others ${others}`}`,
  };
}

function failuresIn(calls: readonly CallCount[]): string {
  const failures = new Map<string, number>();
  for (const call of calls) {
    if (!isServed(call)) failures.set(call.outcome, (failures.get(call.outcome) ?? 0) + call.count);
  }
  return [...failures].map(([outcome, count]) => `, ${count} x ${sayOutcome(outcome)}`).join("");
}

/** An outcome for a person: a status says that it is one. */
export function sayOutcome(outcome: string): string {
  return /^\d+$/.test(outcome) ? `status ${outcome}` : outcome;
}

const sum = (calls: readonly CallCount[]) => calls.reduce((total, { count }) => total + count, 0);
const percent = (share: number) => `${Math.round(share * 100)} %`;
