const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
/** Go keeps nanoseconds in 63 bits. */
const SECONDS_MAX = 2 ** 63 / 1e9;

/** Seconds of a duration as Go's `time.ParseDuration` reads it (`1h30m`, `-1.5s`, `0`); undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const rest = text.replace(/^[-+]/, "");
  if (rest === "0") return 0;
  if (rest === "") return undefined;
  let seconds = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < rest.length) {
    const [, amount, unit] = PART.exec(rest) ?? [];
    if (amount === undefined || unit === undefined) return undefined;
    seconds += Number(amount) * (UNIT_SECONDS[unit] ?? 0);
  }
  return seconds < SECONDS_MAX ? sign * seconds : undefined;
}
