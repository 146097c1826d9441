/** "TimeoutValue TimeoutUnit" of the gRPC over HTTP/2 specification. */
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout`, infinity where the client gave none; undefined when it is malformed. */
export function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  const [, value, unit = ""] = TIMEOUT.exec(header) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? undefined : Number(value) * unitMs;
}
