import { expect } from "vitest";
import type { TcpAnswer } from "./protocol.ts";

/** What policy refuses ends at once. */
export const AT_ONCE_MS = 1500;
/** A connection that says nothing cannot be told from mTLS that is about to begin: the server's proxy gives it 2 s. */
export const SILENCE_MS = 3000;

/** Ended in time, and no byte of the server's came before. */
export function expectRefused({ text, end, ms }: TcpAnswer, withinMs = AT_ONCE_MS): void {
  expect({ text, isOver: end === "ended" || end === "refused" }).toEqual({ text: "", isOver: true });
  expect(ms).toBeLessThan(withinMs);
}

/** Asks again until the answer is `wanted`; fails with the last one. */
export async function until<T>(ask: () => Promise<T>, wanted: T): Promise<void> {
  await expect.poll(ask, { timeout: 10_000, interval: 20 }).toEqual(wanted);
}
