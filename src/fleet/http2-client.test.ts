import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageBuffers } from "./http2-buffers.ts";
import { type CallEnd, type ClientCallEvents, Http2Client } from "./http2-client.ts";
import { dataFrame, FLAG, FRAME, frame, STREAM } from "./http2-frames.ts";
import { PeerError } from "./peer-error.ts";

function client(buffers = new MessageBuffers()) {
  const messages: string[] = [];
  const written: Buffer[] = [];
  const ends: CallEnd[] = [];
  const events: ClientCallEvents = {
    write: (bytes) => void written.push(Buffer.from(bytes)),
    message: (bytes) => void messages.push(bytes.toString("latin1")),
    ended: (end) => void ends.push(end),
  };
  const call = new Http2Client(events, buffers);
  return { call, messages, written, ends };
}

const settings = (...values: readonly (readonly [id: number, value: number])[]) => {
  const payload = Buffer.alloc(values.length * 6);
  for (const [index, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FRAME.settings, 0, 0, payload);
};
const headers = frame(FRAME.headers, FLAG.endHeaders, STREAM, Buffer.of(0x88));
const prefixed = (text: string) => {
  const bytes = Buffer.from(`.....${text}`, "latin1");
  bytes[0] = 0;
  bytes.writeUInt32BE(text.length, 1);
  return bytes;
};

/** Messages in DATA frames of any size, some of them padded, with other frames between them. */
const conversation = fc
  .record({
    texts: fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 300 }), { minLength: 1, maxLength: 5 }),
    sizes: fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 10 }),
    padding: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ texts, sizes, padding }) => {
    const payload = Buffer.concat(texts.map(prefixed));
    const frames: Buffer[] = [settings(), headers];
    for (let at = 0, turn = 0; at < payload.length; turn++) {
      // A size of 0 makes an empty frame; every other turn brings something.
      const size = turn % 2 === 0 ? (sizes[turn % sizes.length] ?? 1) : 50;
      const part = payload.subarray(at, at + size);
      const padded = Buffer.concat([Buffer.of(padding), part, Buffer.alloc(padding)]);
      frames.push(padding > 0 ? frame(FRAME.data, FLAG.padded, STREAM, padded) : frame(FRAME.data, 0, STREAM, part));
      if (turn % 3 === 0) frames.push(frame(FRAME.ping, 0, 0, Buffer.alloc(8, turn)), frame(99, 0, 0, Buffer.alloc(3)));
      at += part.length;
    }
    return { texts, bytes: Buffer.concat(frames) };
  });

test("messages are the same however the bytes are cut", () => {
  fc.assert(
    fc.property(conversation, fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }), ({ texts, bytes }, cuts) => {
      const { call, messages, ends } = client();
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = cuts[turn % cuts.length] ?? 1;
        // The buffer is the caller's again after each call.
        const chunk = Buffer.from(bytes.subarray(at, at + size));
        call.receive(chunk);
        chunk.fill(0xee);
        at += size;
      }
      expect(messages).toEqual(texts);
      expect(ends).toEqual([]);
    }),
  );
});

test("messages of several connections that arrive by turns are each their own", () => {
  const buffers = new MessageBuffers();
  const clients = Array.from({ length: 4 }, () => client(buffers));
  const texts = clients.map((_, index) => String(index).repeat(40_000 * (index + 1)));
  const parts = texts.map((text) => {
    const bytes = prefixed(text);
    return Array.from({ length: Math.ceil(bytes.length / 16_000) }, (_, at) =>
      frame(FRAME.data, 0, STREAM, bytes.subarray(at * 16_000, (at + 1) * 16_000)),
    );
  });
  for (const { call } of clients) call.receive(Buffer.concat([settings(), headers]));
  for (let round = 0; round < 2; round++) {
    for (let turn = 0; parts.some((each) => turn < each.length); turn++) {
      for (const [index, { call }] of clients.entries()) call.receive(parts[index]?.[turn] ?? Buffer.alloc(0));
    }
  }
  for (const [index, { messages }] of clients.entries()) expect(messages).toEqual([texts[index], texts[index]]);
});

test("whatever a server sends, it is an answer or a PeerError", () => {
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 63 }),
      fc.integer({ min: 0, max: 3 }),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.uint8Array({ maxLength: 30 }), (frames, rest) => {
      const { call } = client();
      try {
        call.receive(settings());
        for (const each of [...frames, rest]) call.receive(Buffer.from(each));
      } catch (error) {
        expect(error).toBeInstanceOf(PeerError);
      }
    }),
    { numRuns: 2000 },
  );
});

describe("requests", () => {
  test("wait for the windows of the server, and come in order", () => {
    const { call, written } = client();
    call.receive(settings([4, 10]));
    written.length = 0;
    const sent = dataFrame(Buffer.from("0123456789abcdef")) ?? Buffer.alloc(0);
    call.send(sent);
    call.send(sent);
    const window = (stream: number, bytes: number) => {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(bytes);
      call.receive(frame(FRAME.windowUpdate, 0, stream, payload));
    };
    const payloads = () => Buffer.concat(written.map((bytes) => bytes.subarray(9)));
    expect(payloads().length).toBe(10);
    window(STREAM, 15);
    expect(payloads().length).toBe(25);
    window(STREAM, 1000);
    expect(payloads()).toEqual(Buffer.concat([sent.subarray(9), sent.subarray(9)]));
  });

  test("to a server that opens no window end with an error, not without a bound", () => {
    const { call } = client();
    call.receive(settings([4, 0]));
    const sent = dataFrame(Buffer.alloc(1)) ?? Buffer.alloc(0);
    expect(() => {
      for (let count = 0; count < 10_000; count++) call.send(sent);
    }).toThrow(PeerError);
  });
});
