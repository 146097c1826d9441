import { expect, test } from "vitest";
import { canonicalJson, contentHash } from "./hash.ts";

test("what says the same has one text, however its members are ordered; lists keep their order", () => {
  const text = canonicalJson({ b: [{ y: 1, x: 2 }, null], a: "é", gone: undefined });
  expect(text).toBe(canonicalJson({ a: "é", b: [{ x: 2, y: 1 }, null] }));
  expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]));
  expect(canonicalJson({ a: "1" })).not.toBe(canonicalJson({ a: 1 }));
});

test("no member is lost, whatever a user calls it", () => {
  const named = JSON.parse('{"__proto__": 1, "b": 2}') as unknown;
  expect(canonicalJson(named)).toBe('{"__proto__":1,"b":2}');
});

test("text and its bytes have one hash, and another text another, so that replicas agree on versions", () => {
  expect(contentHash("é")).toBe(contentHash(new TextEncoder().encode("é")));
  expect(contentHash("é")).not.toBe(contentHash("e"));
});
