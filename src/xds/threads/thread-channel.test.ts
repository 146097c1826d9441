import { expect, test } from "vitest";
import { nextTurn } from "../../platform/mod.ts";
import type { StreamTransport } from "../transport.ts";
import { BatchReader, BatchWriter, ENTRY } from "./stream-batch.ts";
import { STREAM_WINDOW_BYTES } from "./stream-thread-messages.ts";
import { SentResponses, ThreadChannel } from "./thread-channel.ts";

interface Told {
  readonly kind: number;
  readonly key: number;
  readonly value: number;
}

/** A channel whose thread is the test. */
function channelOf(monotonic: () => number = () => 0) {
  const posted: ArrayBuffer[] = [];
  const events: string[] = [];
  const transports = new Map<string, StreamTransport>();
  const handled = new SharedArrayBuffer(4);
  const channel = new ThreadChannel({
    post: (batch) => posted.push(batch),
    accept(protocol, certificate, transport) {
      const name = certificate?.commonName ?? "";
      transports.set(name, transport);
      events.push(`${name} opens ${protocol}`);
      return {
        receive: (message) => void events.push(`${name} says ${Buffer.from(message).toString()}`),
        drained: () => void events.push(`${name} has room`),
        halfClosed: () => void events.push(`${name} says no more`),
        closed: () => void events.push(`${name} is gone`),
        failed: (code, message) => void events.push(`${name} fails: ${code} ${message}`),
      };
    },
    handled,
    monotonic,
  });
  return {
    channel,
    events,
    posted,
    handled: new Int32Array(handled),
    async tell(fill: (writer: BatchWriter) => void) {
      const writer = new BatchWriter();
      fill(writer);
      channel.receive(writer.take());
      await nextTurn();
    },
    stream: (name: string) => transports.get(name) as StreamTransport,
    /** What the thread was told since the last call. */
    async told(): Promise<Told[]> {
      await nextTurn();
      const entries: Told[] = [];
      for (const batch of posted.splice(0)) {
        const reader = new BatchReader(batch);
        while (reader.next()) entries.push({ kind: reader.kind, key: reader.key, value: reader.value });
      }
      return entries;
    },
  };
}

function open(writer: BatchWriter, id: number, commonName: string): void {
  const certificate = { commonName, dnsNames: [], uris: [], serialNumber: "1", notAfterMs: 0 };
  writer.addBytes(ENTRY.open, id, Buffer.from(JSON.stringify({ protocol: "delta", certificate })));
}

test("what a client says reaches its stream in order, and nothing after the stream's end", async () => {
  const { events, tell, stream } = channelOf();
  await tell((writer) => {
    open(writer, 1, "a");
    open(writer, 2, "b");
    writer.addBytes(ENTRY.message, 2, Buffer.from("hello"));
    writer.add(ENTRY.halfClosed, 2);
    writer.add(ENTRY.closed, 1);
    writer.addBytes(ENTRY.message, 1, Buffer.from("late"));
  });
  stream("b").end("ABORTED", "enough");
  await tell((writer) => writer.addBytes(ENTRY.message, 2, Buffer.from("late")));
  expect(events).toEqual(["a opens delta", "b opens delta", "b says hello", "b says no more", "a is gone"]);
});

test("the thread of a stream that finds the server full hears that its client is not to blame", async () => {
  const { tell, stream, posted } = channelOf();
  await tell((writer) => open(writer, 1, "a"));
  posted.length = 0;
  stream("a").end("RESOURCE_EXHAUSTED", "full", true);
  await nextTurn();
  const [batch] = posted;
  const reader = new BatchReader(batch as ArrayBuffer);
  expect([reader.next(), reader.kind]).toEqual([true, ENTRY.end]);
  expect(JSON.parse(Buffer.from(reader.bytes).toString())).toMatchObject({ isOurFault: true });
});

test("a stream whose client sent what its thread does not take is over, and says why", async () => {
  const { channel, events, tell } = channelOf();
  await tell((writer) => {
    open(writer, 1, "a");
    writer.addBytes(ENTRY.failed, 1, Buffer.from(JSON.stringify({ code: "RESOURCE_EXHAUSTED", message: "too long" })));
    writer.add(ENTRY.closed, 1);
  });
  expect(events).toEqual(["a opens delta", "a fails: RESOURCE_EXHAUSTED too long"]);
  expect(channel.streamCount).toBe(0);
});

test("a response for many streams crosses to their thread once, and once more when it was forgotten", async () => {
  const { channel, tell, stream, told } = channelOf();
  await tell((writer) => {
    for (const [n, name] of ["a", "b", "c"].entries()) open(writer, n + 1, name);
  });
  const response = Buffer.from("for all");
  for (const name of ["a", "b", "c"]) stream(name).send(response);
  expect((await told()).map(({ kind, key }) => [kind, key])).toEqual([
    [ENTRY.bytes, 1],
    [ENTRY.send, 1],
    [ENTRY.send, 2],
    [ENTRY.send, 3],
  ]);
  channel.age();
  stream("a").send(response);
  expect((await told()).map(({ kind }) => kind)).toEqual([ENTRY.send]);
  channel.age();
  stream("a").send(response);
  expect((await told()).map(({ kind }) => kind)).toEqual([ENTRY.forget, ENTRY.bytes, ENTRY.send]);
});

test("a stream that does not read is asked to wait, and goes on when its bytes have gone", async () => {
  const { events, tell, stream } = channelOf();
  await tell((writer) => open(writer, 1, "a"));
  const half = Buffer.alloc(STREAM_WINDOW_BYTES / 2);
  expect(stream("a").send(half)).toBe(true);
  expect(stream("a").send(half)).toBe(false);
  await tell((writer) => writer.add(ENTRY.credit, 1, half.length));
  expect(events.at(-1)).toBe("a has room");
  expect(stream("a").send(half)).toBe(false);
});

test("thousands of clients that speak at once do not keep the main thread from others", async () => {
  let nowMs = 0;
  const { events, handled, tell } = channelOf(() => nowMs++);
  await tell((writer) => {
    for (let id = 1; id <= 100; id++) open(writer, id, String(id));
  });
  expect(events.length).toBeLessThan(10);
  expect(handled[0]).toBe(0);
  while (handled[0] === 0) await nextTurn();
  expect(events).toHaveLength(100);
});

test("a thread that dies takes its streams along, and what it said last is not heard", async () => {
  const { channel, events, tell, stream, told } = channelOf();
  await tell((writer) => open(writer, 1, "a"));
  const late = tell((writer) => writer.addBytes(ENTRY.message, 1, Buffer.from("late")));
  channel.close();
  await late;
  stream("a").end("UNAVAILABLE", "the server stops");
  expect(events).toEqual(["a opens delta", "a is gone"]);
  expect(await told()).toEqual([]);
  expect(channel.streamCount).toBe(0);
});

test("what a thread keeps of responses is bounded", () => {
  const forgotten: number[] = [];
  const sent = new SentResponses((id) => forgotten.push(id));
  const responses = Array.from({ length: 5 }, () => Buffer.allocUnsafe(4 * 1024 * 1024));
  for (const response of responses) sent.add(response);
  expect(forgotten).toEqual([1]);
  const huge = Buffer.allocUnsafe(20 * 1024 * 1024);
  expect(sent.add(huge)).toBe(6);
  expect(forgotten).toEqual([1, 2, 3, 4, 5]);
  expect(sent.idOf(huge)).toBe(6);
});
