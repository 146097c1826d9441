/** Keys that seal TLS session tickets: any replica with the same CA, and this one after a restart, opens them. */
import type { DeriveKey } from "./key-derivation.ts";

/** How long tickets are sealed with the same key. At its end sessions that are not open are made anew. */
export const TICKET_EPOCH_MS = 24 * 3_600_000;
/** As Node and OpenSSL take them: name, HMAC key and AES key in one. */
const TICKET_KEY_BYTES = 48;

/** Number of the epoch that holds a moment; epochs are counted from 1970. */
export function ticketEpochAt(nowMs: number): number {
  return Math.floor(nowMs / TICKET_EPOCH_MS);
}

/** The keys of one epoch. Who has them can pose as any proxy whose session is resumed, within that epoch. */
export function ticketKeysOf(derive: DeriveKey, epoch: number): Uint8Array {
  return derive(`TLS session tickets ${epoch}`, TICKET_KEY_BYTES);
}
