import type { Probe } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import type { ProbeOutcome } from "./probe.ts";

/** Kubernetes' defaults (core/v1 Probe); they also stand for 0. */
const DEFAULTS = { periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
/** How soon a port on which nobody listens yet is looked at again. */
const ABSENT_RETRY_MS = 100;

export interface ProbeLoop {
  stop(): void;
}

/**
 * Repeats a probe with its own delays and thresholds. `onChange` hears true after `successThreshold` successes in a row, false
 * after `failureThreshold` failures in a row, each time that it changes; at the start neither is so. Until the
 * first success a port that nobody listens on is looked at more often than once a period: no program can notice, and a
 * failure is counted only once a period, not at its start.
 */
export function probeLoop(options: {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly carryOut: () => Promise<ProbeOutcome>;
  readonly onChange: (isPassing: boolean, message: string) => void;
}): ProbeLoop {
  const { probe, clock } = options;
  const periodMs = (probe.periodSeconds || DEFAULTS.periodSeconds) * 1000;
  let isStopped = false;
  let isFirst = true;
  let isPassing: boolean | undefined;
  let hasSucceeded = false;
  let successes = 0;
  let failures = 0;
  let dueMs = clock.monotonic() + (probe.initialDelaySeconds ?? 0) * 1000;
  let cancel = () => {};

  const change = (next: boolean, message: string) => {
    if (isPassing === next) return;
    isPassing = next;
    options.onChange(next, message);
  };
  const count = (outcome: ProbeOutcome) => {
    if (outcome.result === "success") {
      hasSucceeded = true;
      failures = 0;
      successes += 1;
      if (successes >= (probe.successThreshold || DEFAULTS.successThreshold)) change(true, "");
    } else {
      successes = 0;
      failures += 1;
      if (failures >= (probe.failureThreshold || DEFAULTS.failureThreshold)) change(false, outcome.message);
    }
  };
  const round = async () => {
    const outcome = await options.carryOut();
    if (isStopped) return;
    const nowMs = clock.monotonic();
    const isUncounted = outcome.result === "absent" && (isFirst || nowMs < dueMs);
    if (!isUncounted) count(outcome);
    if (!isUncounted || isFirst) dueMs = nowMs + periodMs;
    isFirst = false;
    const isWaitingForStart = outcome.result === "absent" && !hasSucceeded;
    schedule(isWaitingForStart ? Math.min(ABSENT_RETRY_MS, dueMs - nowMs) : dueMs - nowMs);
  };
  const schedule = (delayMs: number) => {
    cancel = clock.after(delayMs, () => void round());
  };
  schedule(Math.max(0, dueMs - clock.monotonic()));
  return {
    stop() {
      isStopped = true;
      cancel();
    },
  };
}
