/** Has TLS sessions sealed by keys that every replica derives from the CA, and changes them when their epoch ends. */
import type { Clock, Log } from "../lib/mod.ts";
import type { MeshSecrets, TicketKeys } from "./mesh-secrets.ts";

/** Timers stand still while a machine sleeps: look at the wall clock this often. */
const LOOK_MS = 60_000;

/**
 * Calls `renew` with the next keys whenever those at hand end; `first` are in use already. When there are none to be had
 * the old ones stay, and it is tried again. The returned function stops it.
 */
export function followTicketKeys(
  first: TicketKeys,
  renew: (keys: Buffer) => void,
  options: { readonly secrets: Pick<MeshSecrets, "ticketKeys">; readonly clock: Clock; readonly log: Log },
): () => void {
  const { clock, log, secrets } = options;
  let { endsAtMs } = first;
  let isStopped = false;
  let cancel: (() => void) | undefined;
  const sleep = () => {
    if (isStopped) return;
    cancel = clock.after(Math.min(LOOK_MS, Math.max(0, endsAtMs - clock.now())), () => void look());
  };
  const look = async () => {
    try {
      if (clock.now() >= endsAtMs) {
        const next = await secrets.ticketKeys(clock.now());
        if (isStopped) return;
        renew(next.keys);
        ({ endsAtMs } = next);
      }
    } catch (error) {
      log.error("cannot derive keys for TLS session tickets; the old ones stay", {
        error: error instanceof Error ? error.message : String(error),
      });
      if (!isStopped) cancel = clock.after(LOOK_MS, () => void look());
      return;
    }
    sleep();
  };
  sleep();
  return () => {
    isStopped = true;
    cancel?.();
  };
}
