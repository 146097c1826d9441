import { expect, test } from "vitest";
import { envoy } from "../../../proto/gen/discovery.js";
import type { DeltaRequest } from "../protocol/protocol.ts";
import { TYPE_URLS } from "../resource.ts";
import { deltaRequestReader } from "./delta-request-reader.ts";
import { decodeDeltaRequest } from "./messages.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
type Message = Parameters<typeof DeltaDiscoveryRequest.encode>[0];

const bytesOf = (message: Message) => Buffer.from(DeltaDiscoveryRequest.encode(message).finish());
/** With what it names as an array and what it claims as a map. */
const plain = (request: DeltaRequest | undefined) => {
  if (request === undefined) return undefined;
  const claims = request.initialVersions;
  const subscribe = [...request.subscribe];
  return {
    ...request,
    subscribe,
    initialVersions: new Map([...claims.keys()].map((name) => [name, claims.get(name)])),
  };
};
const ack = { typeUrl: TYPE_URLS.endpoints, responseNonce: "4711" };

test("an ACK reads the same by the short way and by the long one, with a node and without", () => {
  const read = deltaRequestReader();
  const acks: Message[] = [
    ...Object.values(TYPE_URLS).map((typeUrl) => ({ typeUrl, responseNonce: "1" })),
    { ...ack, node: { id: "proxy" } },
    { ...ack, node: { id: "proxy", cluster: "shop.cart", userAgentName: "envoy" } },
    { ...ack, node: { id: "größe" } },
  ];
  for (const message of [...acks, ...acks]) {
    const bytes = bytesOf(message);
    expect(read(bytes)).toEqual(decodeDeltaRequest(bytes));
  }
});

test("a request with names and versions reads the same by the short way and by the long one", () => {
  const read = deltaRequestReader();
  const versions = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`shop/cart-${n}|80|local`, `version-${n}`]),
  );
  const names = Object.keys(versions);
  const node = { id: "proxy", cluster: "c".repeat(200_000) };
  const requests: Message[] = [
    { typeUrl: TYPE_URLS.cluster, node },
    { typeUrl: TYPE_URLS.cluster, node, initialResourceVersions: versions },
    { typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: names, initialResourceVersions: versions },
    { typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: ["*", "größe", "a"], resourceNamesUnsubscribe: ["ö", ""] },
    { typeUrl: TYPE_URLS.secret, initialResourceVersions: { größe: "v".repeat(20_000), "": "", ["__proto__"]: "1" } },
    { ...ack, resourceNamesUnsubscribe: names },
  ];
  for (const message of [...requests, ...requests]) {
    const bytes = bytesOf(message);
    expect(plain(read(bytes))).toEqual(decodeDeltaRequest(bytes));
  }
});

test("a name that is claimed twice is claimed as it was last", () => {
  const first = bytesOf({ typeUrl: TYPE_URLS.cluster, initialResourceVersions: { a: "1", b: "2" } });
  const second = bytesOf({ initialResourceVersions: { a: "3" } });
  const bytes = Buffer.concat([first, second]);
  expect(plain(deltaRequestReader()(bytes))).toEqual(decodeDeltaRequest(bytes));
});

test("what is rare or written in another way is left to the decoder", () => {
  const read = deltaRequestReader();
  const others: Message[] = [
    { ...ack, errorDetail: { code: 13, message: "no" } },
    { ...ack, errorDetail: {} },
    { ...ack, typeUrl: "type.googleapis.com/other" },
    { responseNonce: "1" },
    {},
  ];
  for (const message of others) expect(read(bytesOf(message))).toBeUndefined();
  const written = (...fields: readonly number[]) => Buffer.concat([bytesOf(ack), Buffer.from(fields)]);
  const entries = {
    "value before key": written(0x2a, 6, 0x12, 1, 0x61, 0x0a, 1, 0x62),
    "key alone": written(0x2a, 3, 0x0a, 1, 0x61),
    "a third field": written(0x2a, 9, 0x0a, 1, 0x61, 0x12, 1, 0x62, 0x12, 1, 0x63),
    "an unknown field": written(0x52, 1, 0x61),
    "a name that is no UTF-8": written(0x1a, 2, 0x61, 0xff),
    "a version that is no UTF-8": written(0x1a, 1, 0x61, 0x2a, 6, 0x0a, 1, 0x61, 0x12, 1, 0xff),
    "a length of five bytes": written(0x1a, 0x81, 0x80, 0x80, 0x80, 0x00, 0x61),
  };
  for (const [what, bytes] of Object.entries(entries)) expect([what, read(bytes)]).toEqual([what, undefined]);
});

test("broken bytes are no ACK, and no two messages are taken for each other", () => {
  const read = deltaRequestReader();
  const whole = bytesOf({ ...ack, node: { id: "proxy" } });
  for (let length = 0; length < whole.length; length++) {
    const cut = whole.subarray(0, length);
    const request = read(cut);
    if (request !== undefined) expect(request).toEqual(decodeDeltaRequest(cut));
  }
  for (let nonce = 0; nonce < 1000; nonce++) {
    for (const typeUrl of Object.values(TYPE_URLS)) {
      const request = read(bytesOf({ typeUrl, responseNonce: String(nonce) }));
      expect([request?.typeUrl, request?.nonce]).toEqual([typeUrl, String(nonce)]);
    }
  }
});

test("a buffer that is used again for other bytes does not change what was read from it", () => {
  const read = deltaRequestReader();
  const buffer = bytesOf({ ...ack, responseNonce: "1" });
  const first = read(buffer);
  bytesOf({ ...ack, responseNonce: "2" }).copy(buffer);
  expect([first?.nonce, read(buffer)?.nonce, first?.nonce]).toEqual(["1", "2", "1"]);
});

test("what a request names and claims stays as it was when its buffer is used again", () => {
  const bytes = bytesOf({ ...ack, resourceNamesSubscribe: ["a", "*"], initialResourceVersions: { größe: "1" } });
  const request = deltaRequestReader()(bytes);
  bytes.fill(0);
  expect([...(request?.subscribe ?? [])]).toEqual(["a", "*"]);
  expect(["*", "a", "b", "aa"].map((name) => request?.subscribe.includes(name))).toEqual([true, true, false, false]);
  expect(request?.initialVersions.get("größe")).toBe("1");
});

test("a node with two ids is left to the decoder, which takes the last", () => {
  const node = envoy.config.core.v3.Node;
  const twice = Buffer.concat([node.encode({ id: "own" }).finish(), node.encode({ id: "other" }).finish()]);
  const bytes = Buffer.concat([Buffer.from([0x0a, twice.length]), twice, bytesOf(ack)]);
  expect(deltaRequestReader()(bytes)).toBeUndefined();
  expect(decodeDeltaRequest(bytes).nodeId).toBe("other");
});
