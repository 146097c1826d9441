import type { Delivery } from "../observer.ts";

/** A response that the client has not acknowledged; at most one of a type. A chain: an array that was ever used takes 180 bytes for ever. */
export interface InFlight {
  readonly delivery: Delivery;
  readonly sentAt: number;
  /** Sent before it. */
  next: InFlight | undefined;
}

/** The response of a chain with this nonce. */
export function findInFlight(last: InFlight | undefined, nonce: string): InFlight | undefined {
  let each = last;
  while (each !== undefined && each.delivery.nonce !== nonce) each = each.next;
  return each;
}

/** The chain without one of its responses. */
export function withoutInFlight(last: InFlight | undefined, gone: InFlight): InFlight | undefined {
  if (last === gone) return gone.next;
  let later = last;
  while (later !== undefined && later.next !== gone) later = later.next;
  if (later !== undefined) later.next = gone.next;
  return last;
}
