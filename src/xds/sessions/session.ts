import { isAck, type Request, readRequest } from "../codec/request-reading.ts";
import type { StreamInfo } from "../observer.ts";
import type { Response, StreamInput, Verdict } from "../protocol/protocol.ts";
import type { RefusalMemory } from "../protocol/refusals.ts";
import { step } from "../protocol/step.ts";
import {
  createStream,
  isSubscribed,
  owesAnything,
  type StreamState,
  subscriptionOf,
} from "../protocol/stream-state.ts";
import { prefetchSubscription } from "../protocol/subscription.ts";
import { type Peer, type ResourceTable, type TableSubscription, TYPE_URLS, type TypeUrl } from "../resource.ts";
import type { EndCode, StreamHandler, StreamTransport } from "../transport.ts";
import { DeferredRequests } from "./deferred-requests.ts";
import type { Dirtyable } from "./dirty-queue.ts";
import { findInFlight, type InFlight, withoutInFlight } from "./in-flight.ts";
import type { PrefetchedStream, PrefetchGroup } from "./prefetch.ts";
import type { ServicesOf, SessionOptions } from "./session-services.ts";
import type { RefusedReason } from "./xds-metrics.ts";

export type SessionServices = ServicesOf<Session>;

const nothing = () => undefined;

/**
 * One stream of one proxy: bytes in, bytes out, and the protocol's values between them. A response is encoded when the
 * transport can take it, so that a slow reader holds references and no bytes.
 *
 * There are thousands of these: what they have in common is in one `services`, and the session itself is the
 * {@link StreamInfo} that observers are given.
 */
export class Session implements StreamHandler, StreamInfo, Dirtyable, PrefetchedStream {
  readonly slot: number;
  readonly peer: Peer;
  readonly protocol: StreamInfo["protocol"];
  isDirty = false;
  prefetchedWith: PrefetchGroup | undefined;
  readonly #services: SessionServices;
  readonly #transport: StreamTransport;
  readonly #stream: StreamState;
  // An array that was ever used takes 180 bytes for ever: there is none while nothing waits.
  /** Responses that the transport cannot take yet: at most one of a type. */
  #queue: Response[] | undefined;
  #inFlight: InFlight | undefined;
  /** Requests that wait for a later turn. */
  #deferred: DeferredRequests | undefined;
  #tables: TableSubscription | undefined;
  #table: ResourceTable | undefined;
  #hasRoom = true;
  #isOver = false;
  #isProven = false;
  #cancelTimer: () => void;

  constructor(services: SessionServices, { slot, peer, protocol, transport, nodeIds, memory }: SessionOptions) {
    this.slot = slot;
    this.peer = peer;
    this.protocol = protocol;
    this.#services = services;
    this.#transport = transport;
    const { difference, responses, limits } = services;
    this.#stream = createStream({ protocol, nodeIds, memory, difference, responses, limits });
    this.#cancelTimer = services.clock.after(limits.firstRequestMs, () =>
      this.end("DEADLINE_EXCEEDED", `no request within ${limits.firstRequestMs} ms`, "request"),
    );
  }

  /** Shared by all streams of the proxy. */
  get memory(): RefusalMemory {
    return this.#stream.options.memory;
  }

  isSubscribed(typeUrl: TypeUrl, name: string): boolean {
    return isSubscribed(this.#stream, typeUrl, name);
  }

  /** Starts to follow the proxy's table, to which `subscribe` leads. */
  follow(subscribe: () => TableSubscription): void {
    this.#guard(() => {
      this.#tables = subscribe();
      this.#services.metrics.connected(1);
      this.#services.observe.connected(this);
      this.refresh();
    });
  }

  prefetch(): number {
    if (this.#isOver || this.#table === undefined) return 0;
    const endpoints = subscriptionOf(this.#stream, TYPE_URLS.endpoints);
    const own = (this.#inFlight?.sentAt ?? 0) + Number(this.memory.isEmpty());
    return own + (endpoints === undefined ? 0 : prefetchSubscription(endpoints));
  }

  /** Takes over the newest table, if there is another one. */
  refresh(): void {
    if (this.#isOver) return;
    const table = this.#tables?.current();
    if (table === undefined || table === this.#table) return;
    this.#table = table;
    this.#guard(() => this.#give({ kind: "table", table }));
  }

  receive(bytes: Uint8Array): void {
    // Not by a closure for `#guard`: this is called for every acknowledgement.
    try {
      this.#receive(bytes);
    } catch (error) {
      this.#break(error);
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.prefetchedWith !== undefined) this.#answered(this.prefetchedWith);
    if (this.#isOver) return;
    const request = this.#read(bytes);
    if (request === undefined) return;
    const { metrics, turn } = this.#services;
    metrics.requested(request.typeUrl);
    // To put an acknowledgement off that nothing waits for costs more than to take it.
    const isLong = !isAck(request) || owesAnything(this.#stream);
    const mayWait = this.#deferred !== undefined || (isLong && turn.isSpent());
    if (mayWait && this.#defer(request, bytes.length)) return;
    while (this.#deferred !== undefined) this.#takeFirstDeferred();
    this.#take(request);
  }

  /** Takes one request that was put off; the others wait for their turn again. */
  takeDeferred(): void {
    this.#takeFirstDeferred();
    if (this.#deferred !== undefined) this.#services.turn.defer(this);
  }

  #answered(group: PrefetchGroup): void {
    this.prefetchedWith = undefined;
    group.answered();
  }

  #defer(request: Request, size: number): boolean {
    this.#deferred ??= new DeferredRequests();
    if (!this.#deferred.add(request, size)) return false;
    // It has spoken: that it is not listened to yet is no fault of the client.
    if (!this.#hasBegun) this.#cancelTimer();
    this.#services.turn.defer(this);
    return true;
  }

  #takeFirstDeferred(): void {
    const late = this.#deferred?.take();
    if (this.#deferred?.isEmpty) {
      this.#deferred = undefined;
      this.#services.turn.forget(this);
    }
    if (late !== undefined) this.#take(late);
  }

  drained(): void {
    this.#hasRoom = true;
    this.#guard(() => this.#write());
  }

  halfClosed(): void {
    this.end("ABORTED", "the client closed its side of the stream");
  }

  /** The client is gone, or the transport is. */
  closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    for (const { typeUrl } of this.#queue ?? []) this.#services.metrics.sendFailed(typeUrl);
    this.#queue = undefined;
    this.#inFlight = undefined;
    this.#deferred = undefined;
    this.prefetchedWith?.dissolve();
    this.prefetchedWith = undefined;
    const tables = this.#tables;
    if (tables !== undefined) {
      this.#services.metrics.connected(-1);
      tables.close();
      this.#guard(() => this.#services.observe.disconnected(this));
    }
    this.#services.onOver(this);
  }

  /** Ends the stream from this side. Without a `reason` nobody did anything wrong. */
  end(code: EndCode, message: string, reason?: RefusedReason): void {
    if (this.#isOver) return;
    if (reason !== undefined) this.#noteRefusal(code, message, reason);
    this.closed();
    this.#transport.end(code, message);
  }

  failed(code: EndCode, message: string): void {
    if (this.#isOver) return;
    this.#noteRefusal(code, message, "request");
    this.closed();
  }

  #noteRefusal(code: EndCode, message: string, reason: RefusedReason): void {
    this.#services.metrics.refused(reason);
    const { namespace, pod, uuid } = this.peer;
    this.#services.log.warn("ended a proxy's stream", { namespace, pod, uuid, code, cause: message });
  }

  #read(bytes: Uint8Array): Request | undefined {
    const read = readRequest(bytes, this.protocol, this.#services);
    if ("kind" in read) return read;
    this.end(read.code, read.message, "request");
    return undefined;
  }

  #take(request: Request): void {
    if (this.#isOver) return;
    this.#guard(() => {
      if (!this.#hasBegun) this.#startQuiet(request);
      this.#give(request);
    });
  }

  /** Its first request was taken: the timer is that of its quiet from then on. */
  get #hasBegun(): boolean {
    return this.#stream.hasRequested || this.#stream.waiting !== undefined;
  }

  #startQuiet(request: { readonly initialVersions?: { readonly size: number }; readonly version?: string }): void {
    const { clock, limits, metrics } = this.#services;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(limits.quietMs, () => {
      // Nothing of the timer stays with the stream.
      this.#cancelTimer = nothing;
      this.#guard(() => this.#give({ kind: "quiet" }));
    });
    if ((request.initialVersions?.size ?? 0) > 0 || (request.version ?? "") !== "") metrics.reconnected();
  }

  #give(input: StreamInput): void {
    if (this.#isOver) return;
    const { verdicts, responses, settledGeneration, end } = step(this.#stream, input);
    for (let n = 0; n < verdicts.length && !this.#isOver; n++) this.#report(verdicts[n] as Verdict);
    if (this.#isOver) return;
    if (end !== undefined) {
      this.end(end.code, end.message, end.code === "PERMISSION_DENIED" ? "node-id" : "request");
      return;
    }
    for (let n = 0; n < responses.length; n++) {
      const response = responses[n] as Response;
      if (this.#hasRoom && this.#queue === undefined && !this.#isOver) this.#send(response);
      else this.#wait(response);
    }
    if (settledGeneration !== undefined) this.#services.observe.settled(this, settledGeneration);
  }

  #wait(response: Response): void {
    this.#queue ??= [];
    this.#queue.push(response);
  }

  #write(): void {
    while (this.#hasRoom && !this.#isOver) {
      const response = this.#queue?.shift();
      if (this.#queue?.length === 0) this.#queue = undefined;
      if (response === undefined) return;
      this.#send(response);
    }
  }

  #send(response: Response): void {
    const { observe, metrics, clock, encoded } = this.#services;
    const { prefixed, delivery } = encoded[this.protocol].encoded(response);
    this.#inFlight = { delivery, sentAt: clock.monotonic(), next: this.#inFlight };
    metrics.sent(delivery.typeUrl, delivery);
    observe.sent(this, delivery);
    this.#hasRoom = this.#transport.send(prefixed);
  }

  #report(verdict: Verdict): void {
    const { observe, metrics, clock, log } = this.#services;
    if (verdict.kind === "held") {
      observe.held(this, verdict.typeUrl as TypeUrl, verdict.generation);
      return;
    }
    const sent = findInFlight(this.#inFlight, verdict.response.nonce);
    if (sent === undefined) {
      this.end("INVALID_ARGUMENT", "acknowledges a response that was not sent yet", "request");
      return;
    }
    this.#inFlight = withoutInFlight(this.#inFlight, sent);
    if (!this.#isProven) {
      this.#isProven = true;
      this.#transport.proven();
    }
    const { delivery, sentAt } = sent;
    metrics.acknowledged(delivery.typeUrl, verdict.kind === "acked", (clock.monotonic() - sentAt) / 1000);
    if (verdict.kind === "acked") {
      observe.acked(this, delivery);
      return;
    }
    const { names, message } = verdict;
    const { namespace, pod } = this.peer;
    const resources = names.slice(0, 10).join(", ");
    log.warn("a proxy refused resources", {
      namespace,
      pod,
      type: delivery.typeUrl,
      resources,
      count: names.length,
      message,
    });
    observe.nacked(this, { delivery, names, message });
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#break(error);
    }
  }

  /** We are wrong: what goes wrong on one stream ends that stream alone. */
  #break(error: unknown): void {
    const { namespace, pod } = this.peer;
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#services.log.error("a stream failed", { namespace, pod, cause });
    this.end("INTERNAL", "the server failed on this stream");
  }
}
