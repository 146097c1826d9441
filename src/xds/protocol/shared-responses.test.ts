import { expect, test } from "vitest";
import { encodedResponses } from "../codec/encoded-responses.ts";
import { deltaResponseEncoder } from "../codec/messages.ts";
import { recentCache } from "../recent-cache.ts";
import { type Resource, TYPE_URLS } from "../resource.ts";
import type { ResponseContent } from "./protocol.ts";
import { sharedResponses } from "./shared-responses.ts";

const typeUrl = TYPE_URLS.endpoints;
const resource = (name: string, version: string, bytes = 10): Resource => ({
  typeUrl,
  name,
  version,
  bytes: new Uint8Array(bytes),
});
const content = (resources: readonly Resource[], more: Partial<ResponseContent> = {}): ResponseContent => ({
  typeUrl,
  version: "1",
  generation: 1,
  resources,
  removed: [],
  requiredResends: 0,
  ...more,
});

test("streams that are sent the same are sent one response, the same bytes", () => {
  const responses = sharedResponses();
  const encoded = encodedResponses(deltaResponseEncoder());
  const [a, b] = [resource("a", "v1"), resource("b", "v1")];
  const first = responses.respond(content([a, b]), 0);
  const second = responses.respond(content([a, b]), 0);
  expect(second).toBe(first);
  expect(encoded.encoded(second).prefixed).toBe(encoded.encoded(first).prefixed);
});

test("whatever differs makes another response, with another nonce", () => {
  const responses = sharedResponses();
  const [a, b] = [resource("a", "v1"), resource("b", "v1")];
  const all = [
    content([a, b]),
    content([b, a]),
    content([a]),
    // Another object with the same name and version: identity decides.
    content([resource("a", "v1")]),
    content([a, b], { removed: ["c"] }),
    content([a, b], { generation: 2, version: "2" }),
    content([a, b], { requiredResends: 1 }),
    content([a, b], { typeUrl: TYPE_URLS.cluster }),
  ].map((each) => responses.respond(each, 0));
  expect(new Set(all.map(({ nonce }) => nonce)).size).toBe(all.length);
});

test("a stream never sees a nonce again, though others may still be sent the same response", () => {
  const responses = sharedResponses();
  const same = content([resource("a", "v1")]);
  const first = responses.respond(same, 0);
  const again = responses.respond(same, first.serial);
  expect(again.serial).toBeGreaterThan(first.serial);
  expect(responses.respond(same, 0)).toBe(again);
});

test("what nobody asks for is forgotten, and what is asked for again stays", () => {
  const cache = recentCache<string, number>(100);
  cache.set("used", 1, 1);
  cache.set("left", 2, 1);
  for (let round = 0; round < 5; round++) {
    cache.age();
    expect(cache.get("used")).toBe(1);
  }
  expect(cache.get("left")).toBeUndefined();
});

test("responses that never end cost bounded memory", () => {
  const cache = recentCache<number, number>(100);
  for (let key = 0; key < 10_000; key++) cache.set(key, key, 10);
  let kept = 0;
  for (let key = 0; key < 10_000; key++) if (cache.get(key) !== undefined) kept++;
  expect(kept).toBeLessThanOrEqual(10);
  expect(cache.get(9_999)).toBe(9_999);
  cache.set(1, 1, 1000);
  expect(cache.get(1)).toBeUndefined();
});

test("a response is encoded once for thousands of streams, however long it is", () => {
  const encoded = encodedResponses(deltaResponseEncoder());
  const response = sharedResponses().respond(content([resource("mesh", "v1", 20 * 1024 * 1024)]), 0);
  expect(encoded.encoded(response)).toBe(encoded.encoded(response));
});
