/**
 * How long the next push waits after the last one: nothing after a small one, and in proportion to the streams touched
 * after a large one, so that a storm of changes costs a bounded share of a core however many proxies there are.
 */

/** Streams that may be touched at any rate. */
const SMALL_FAN_OUT = 200;
/** Time on the main thread for one delivery, measured over real sockets with mTLS. */
const DELIVERY_MS = 0.014;
/** Share of a core that pushing may take. */
const CPU_SHARE = 0.25;
const WINDOW_MAX_MS = 1000;

/** Milliseconds from the start of a push that touched `streams` until the next may start. */
export function fanOutWindow(streams: number): number {
  return streams <= SMALL_FAN_OUT ? 0 : Math.min((streams * DELIVERY_MS) / CPU_SHARE, WINDOW_MAX_MS);
}
