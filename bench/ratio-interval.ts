/** How sure a ratio of two percentiles is. */
import { quantile } from "./measurement.ts";

/** Delays of each event: what one event caused was measured together and varies together. */
export type Events = readonly (readonly number[])[];

const RESAMPLES = 400;
/** Of an event that thousands saw, so many stand for all: those of every n-th rank. */
const OF_EVENT_MAX = 200;

/**
 * Ratios of the percentile `share` of `ours` to that of `theirs`, in ascending order: of samples that are drawn anew from
 * the events of each side, with replacement (the bootstrap). The true ratio is most likely among the middle 95 %.
 */
export function resampledRatios(ours: Events, theirs: Events, share: number, random: () => number): readonly number[] {
  const [upper, lower] = [ours.map(thinned), theirs.map(thinned)];
  const ratio = () => quantile(drawn(upper, random), share) / quantile(drawn(lower, random), share);
  return Array.from({ length: RESAMPLES }, ratio).sort((left, right) => left - right);
}

function thinned(delays: readonly number[]): readonly number[] {
  const sorted = [...delays].sort((left, right) => left - right);
  if (sorted.length <= OF_EVENT_MAX) return sorted;
  const stride = (sorted.length - 1) / (OF_EVENT_MAX - 1);
  return Array.from({ length: OF_EVENT_MAX }, (_, n) => sorted[Math.round(n * stride)] ?? 0);
}

function drawn(events: Events, random: () => number): readonly number[] {
  const values: number[] = [];
  for (let n = 0; n < events.length; n++) values.push(...(events[Math.floor(random() * events.length)] ?? []));
  return values.sort((left, right) => left - right);
}
