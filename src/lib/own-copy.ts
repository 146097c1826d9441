/**
 * A copy of `bytes` in memory of its own, for what outlives its turn: a small buffer lies in a slab of Node's pool, and keeps
 * all 64 KiB of it alive.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
