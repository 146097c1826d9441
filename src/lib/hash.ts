import { hash } from "node:crypto";

/** First 128 bits of SHA-256 in hex: equal on every runtime and replica, collision-safe as a version. */
export function contentHash(data: Uint8Array | string): string {
  return hash("sha256", data, "hex").slice(0, 32);
}

/**
 * JSON with the keys of every object in code-unit order, so that equal plain values give equal text.
 * `undefined` members are left out, as in JSON.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== "object" || Array.isArray(member)) return member;
    const source = member as Record<string, unknown>;
    // Without a prototype a member named `__proto__` is a member like any other.
    const sorted = Object.create(null) as Record<string, unknown>;
    for (const key of Object.keys(source).sort()) sorted[key] = source[key];
    return sorted;
  });
}
