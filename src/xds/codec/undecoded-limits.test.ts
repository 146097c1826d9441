import { expect, test } from "vitest";
import { envoy } from "../../../proto/gen/discovery.js";
import { hasFieldMoreOften, hasMessagesLongerThan, requestExcess } from "./undecoded-limits.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;

function request(count: number): Uint8Array {
  return DeltaDiscoveryRequest.encode({
    node: { id: "x".repeat(300) },
    typeUrl: "type.googleapis.com/a.B",
    resourceNamesSubscribe: Array.from({ length: count }, (_, n) => `name-${n}`),
    initialResourceVersions: Object.fromEntries(Array.from({ length: count }, (_, n) => [`name-${n}`, "1"])),
    responseNonce: "7",
  }).finish();
}

test("a request with as many names as there may be is read, one with more is not", () => {
  expect(hasFieldMoreOften(request(100), 100)).toBe(false);
  expect(hasFieldMoreOften(request(101), 100)).toBe(true);
});

test("what is no message is left to the decoder", () => {
  expect(hasFieldMoreOften(Buffer.alloc(1000, 0xff), 10)).toBe(false);
  expect(hasFieldMoreOften(Buffer.alloc(1000, 0x0b), 10)).toBe(false);
  expect(hasFieldMoreOften(Buffer.concat([request(5), Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0xff])]), 5)).toBe(
    false,
  );
});

test.each([
  ["a number", [0x78, 0x01]],
  ["a number of ten bytes", [0x78, ...Array.from({ length: 9 }, () => 0x80), 0x00]],
  ["64 bits", [0x79, 0, 0, 0, 0, 0, 0, 0, 0]],
  ["32 bits", [0x7d, 0, 0, 0, 0]],
  ["a group", [0x7b, 0x78, 0x01, 0x7c]],
  ["a field with a long tag", [0x82, 0x01, 0x01, 0x2a]],
  ["a length in more bytes than it needs", [0x0a, 0x80, 0x80, 0x80, 0x80, 0x00]],
  ["a tag in more bytes than it needs", [0x8a, 0x00, 0x00]],
])("too many names are found behind %s", (_what, bytes) => {
  const message = Buffer.concat([Buffer.from(bytes), request(101)]);
  expect(DeltaDiscoveryRequest.decode(message).resourceNamesSubscribe).toHaveLength(101);
  expect(hasFieldMoreOften(message, 100)).toBe(true);
});

test.each([
  ["a node", 0x0a],
  ["an error", 0x3a],
])(
  "%s of thousands of parts is found before it is decoded, a long list of names is not taken for one",
  (_what, tag) => {
    const part = Buffer.concat([Buffer.from([tag, 0x80, 0x08]), Buffer.alloc(1024)]);
    const parts = Buffer.concat([request(100), ...Array.from({ length: 100 }, () => part)]);
    expect(hasMessagesLongerThan(parts, 100 * 1024)).toBe(true);
    expect(hasMessagesLongerThan(parts, 101 * 1024)).toBe(false);
    expect(hasMessagesLongerThan(request(10_000), 1024)).toBe(false);
  },
);

test("a request with too much in it is known by its beginning, one with as much as there may be is not", () => {
  const many = request(300);
  expect(requestExcess(many.subarray(0, 1000), 100, many.length)).toBeUndefined();
  expect(requestExcess(many.subarray(0, (3 * many.length) / 4), 100, many.length)).toMatch("at most 100 resources");
  expect(requestExcess(many, 300, many.length)).toBeUndefined();
  const large = DeltaDiscoveryRequest.encode({ node: { id: "x".repeat(2 ** 20) } }).finish();
  expect(requestExcess(large.subarray(0, 1000), 100, large.length)).toMatch("262144 bytes");
});
