import type { Clock, Log, LogFields } from "../../lib/mod.ts";

/** Warnings that may follow each other, and how many there may be in a second in the long run. */
const BURST = 50;
const PER_SECOND = 5;

/**
 * A log for what peers do wrong: thousands of them, or one a thousand times. Warnings beyond a budget are not written; the
 * next one that is says how many are missing before it. Other lines go through.
 */
export function rateLimitedLog(log: Log, clock: Clock): Log {
  let left = BURST;
  let filledAtMs = clock.monotonic();
  let omitted = 0;
  const isAllowed = () => {
    const nowMs = clock.monotonic();
    left = Math.min(BURST, left + ((nowMs - filledAtMs) / 1000) * PER_SECOND);
    filledAtMs = nowMs;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
  return {
    debug: (message, fields) => log.debug(message, fields),
    info: (message, fields) => log.info(message, fields),
    warn(message: string, fields?: LogFields) {
      if (!isAllowed()) {
        omitted += 1;
        return;
      }
      log.warn(message, omitted === 0 ? fields : { ...fields, omitted });
      omitted = 0;
    },
    error: (message, fields) => log.error(message, fields),
    child: (component) => rateLimitedLog(log.child(component), clock),
    setLevel: (level) => log.setLevel(level),
  };
}
