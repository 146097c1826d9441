import { expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { decodeDeltaRequest } from "./messages.ts";
import { plainAckReader } from "./plain-ack.ts";
import { TYPE_URLS } from "./resource.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
type Message = Parameters<typeof DeltaDiscoveryRequest.encode>[0];

const bytesOf = (message: Message) => Buffer.from(DeltaDiscoveryRequest.encode(message).finish());
const ack = { typeUrl: TYPE_URLS.endpoints, responseNonce: "4711" };

test("an ACK reads the same by the short way and by the long one, with a node and without", () => {
  const read = plainAckReader();
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

test("whatever says more than an ACK is left to the decoder", () => {
  const read = plainAckReader();
  const others: Message[] = [
    { ...ack, errorDetail: { code: 13, message: "no" } },
    { ...ack, errorDetail: {} },
    { ...ack, resourceNamesSubscribe: ["a"] },
    { ...ack, resourceNamesUnsubscribe: ["a"] },
    { ...ack, initialResourceVersions: { a: "1" } },
    { ...ack, typeUrl: "type.googleapis.com/other" },
    { ...ack, responseNonce: "" },
    { ...ack, responseNonce: "n".repeat(300) },
    { responseNonce: "1" },
    {},
  ];
  for (const message of others) expect(read(bytesOf(message))).toBeUndefined();
});

test("broken bytes are no ACK, and no two messages are taken for each other", () => {
  const read = plainAckReader();
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
  const read = plainAckReader();
  const buffer = bytesOf({ ...ack, responseNonce: "1" });
  const first = read(buffer);
  bytesOf({ ...ack, responseNonce: "2" }).copy(buffer);
  expect([first?.nonce, read(buffer)?.nonce, first?.nonce]).toEqual(["1", "2", "1"]);
});

test("a node with two ids is left to the decoder, which takes the last", () => {
  const node = envoy.config.core.v3.Node;
  const twice = Buffer.concat([node.encode({ id: "own" }).finish(), node.encode({ id: "other" }).finish()]);
  const bytes = Buffer.concat([Buffer.from([0x0a, twice.length]), twice, bytesOf(ack)]);
  expect(plainAckReader()(bytes)).toBeUndefined();
  expect(decodeDeltaRequest(bytes).nodeId).toBe("other");
});
