import type { Clock, Log } from "../lib/mod.ts";
import {
  decodeDeltaRequest,
  decodeSotwRequest,
  encodeDeltaResponse,
  encodeSotwResponse,
  PREFIX_BYTES,
} from "./messages.ts";
import type { Delivery, DeliveryObserver, StreamInfo } from "./observer.ts";
import type { Response, Step, StreamInput, StreamLimits, Verdict } from "./protocol.ts";
import type { RefusalMemory } from "./refusals.ts";
import type { ResourceTable, TableSubscription, TypeUrl } from "./resource.ts";
import { step } from "./step.ts";
import { createStream, isSubscribed, type StreamState } from "./stream-state.ts";
import type { TableDifference } from "./table-difference.ts";
import type { EndCode, StreamHandler, StreamTransport } from "./transport.ts";
import type { RefusedReason, XdsMetrics } from "./xds-metrics.ts";

export interface SessionOptions {
  readonly info: Pick<StreamInfo, "id" | "peer" | "protocol">;
  readonly transport: StreamTransport;
  readonly nodeIds: readonly string[];
  readonly memory: RefusalMemory;
  readonly difference: TableDifference;
  readonly limits: StreamLimits;
  readonly firstRequestMs: number;
  readonly quietMs: number;
  readonly observe: DeliveryObserver;
  readonly metrics: XdsMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once, when the stream is over. */
  readonly onOver: () => void;
}

/**
 * One stream of one proxy: bytes in, bytes out, and the protocol's values between them. A response is encoded when the
 * transport can take it, so that a slow reader holds references and no bytes.
 */
export class Session implements StreamHandler {
  readonly info: StreamInfo;
  /** Shared by all streams of the proxy. */
  readonly memory: RefusalMemory;
  readonly #options: SessionOptions;
  readonly #stream: StreamState;
  /** Responses that the transport cannot take yet: at most one of a type. */
  readonly #queue: Response[] = [];
  readonly #inFlight = new Map<string, { readonly delivery: Delivery; readonly sentAt: number }>();
  #tables: TableSubscription | undefined;
  #table: ResourceTable | undefined;
  #hasRoom = true;
  #isOver = false;
  #cancelTimer: () => void;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.info = { ...options.info, isSubscribed: (typeUrl, name) => isSubscribed(this.#stream, typeUrl, name) };
    this.memory = options.memory;
    this.#stream = createStream({
      protocol: options.info.protocol,
      nodeIds: options.nodeIds,
      noncePrefix: `${options.info.id}.`,
      memory: options.memory,
      difference: options.difference,
      limits: options.limits,
    });
    this.#cancelTimer = options.clock.after(options.firstRequestMs, () =>
      this.end("DEADLINE_EXCEEDED", `no request within ${options.firstRequestMs} ms`, "request"),
    );
  }

  /** Starts to follow the proxy's table. */
  follow(tables: TableSubscription): void {
    this.#tables = tables;
    this.#options.metrics.connected(1);
    this.#guard(() => {
      this.#options.observe.connected(this.info);
      this.refresh();
    });
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
    if (this.#isOver) return;
    const request = this.#decode(bytes);
    if (request === undefined) return;
    this.#options.metrics.requested(request.typeUrl);
    this.#guard(() => {
      if (!this.#stream.hasRequested && this.#stream.waiting.length === 0) this.#startQuiet(request);
      this.#give(request);
    });
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
    for (const { typeUrl } of this.#queue.splice(0)) this.#options.metrics.sendFailed(typeUrl);
    this.#inFlight.clear();
    const tables = this.#tables;
    if (tables !== undefined) {
      this.#options.metrics.connected(-1);
      tables.close();
      this.#guard(() => this.#options.observe.disconnected(this.info));
    }
    this.#options.onOver();
  }

  /** Ends the stream from this side. Without a `reason` nobody did anything wrong. */
  end(code: EndCode, message: string, reason?: RefusedReason): void {
    if (this.#isOver) return;
    if (reason !== undefined) {
      this.#options.metrics.refused(reason);
      const { namespace, pod, uuid } = this.info.peer;
      this.#options.log.warn("ended a proxy's stream", { namespace, pod, uuid, code, cause: message });
    }
    this.closed();
    this.#options.transport.end(code, message);
  }

  #decode(bytes: Uint8Array) {
    try {
      return this.info.protocol === "delta" ? decodeDeltaRequest(bytes) : decodeSotwRequest(bytes);
    } catch {
      // What the decoder says quotes the client's bytes; the stream's end says enough.
      this.end("INVALID_ARGUMENT", `${bytes.length} bytes are no discovery request`, "request");
      return undefined;
    }
  }

  #startQuiet(request: { readonly initialVersions?: ReadonlyMap<string, string>; readonly version?: string }): void {
    const { clock, quietMs, metrics } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(quietMs, () => this.#guard(() => this.#give({ kind: "quiet" })));
    if ((request.initialVersions?.size ?? 0) > 0 || (request.version ?? "") !== "") metrics.reconnected();
  }

  #give(input: StreamInput): void {
    if (this.#isOver) return;
    const { verdicts, responses, settledGeneration, end }: Step = step(this.#stream, input);
    for (const verdict of verdicts) this.#report(verdict);
    if (end !== undefined) {
      this.end(end.code, end.message, end.code === "PERMISSION_DENIED" ? "node-id" : "request");
      return;
    }
    this.#queue.push(...responses);
    this.#write();
    if (settledGeneration !== undefined) this.#options.observe.settled(this.info, settledGeneration);
  }

  #write(): void {
    while (this.#hasRoom && !this.#isOver) {
      const response = this.#queue.shift();
      if (response === undefined) return;
      this.#send(response);
    }
  }

  #send(response: Response): void {
    const { transport, observe, metrics, clock } = this.#options;
    const { info } = this;
    const prefixed = info.protocol === "delta" ? encodeDeltaResponse(response) : encodeSotwResponse(response);
    const bytes = prefixed.length - PREFIX_BYTES;
    const { resources, removed, requiredResends, generation, nonce } = response;
    const typeUrl = response.typeUrl as TypeUrl;
    const delivery = { typeUrl, nonce, generation, resources, removed, requiredResends, bytes };
    this.#inFlight.set(nonce, { delivery, sentAt: clock.monotonic() });
    metrics.sent(typeUrl, { resources: resources.length, removed: removed.length, requiredResends, bytes });
    observe.sent(info, delivery);
    this.#hasRoom = transport.send(prefixed);
  }

  #report(verdict: Verdict): void {
    const { observe, metrics, clock, log } = this.#options;
    const { info } = this;
    const sent = this.#inFlight.get(verdict.response.nonce);
    if (sent === undefined) {
      this.end("INVALID_ARGUMENT", "acknowledges a response that was not sent yet", "request");
      return;
    }
    this.#inFlight.delete(verdict.response.nonce);
    const { delivery, sentAt } = sent;
    metrics.acknowledged(delivery.typeUrl, verdict.kind === "acked", (clock.monotonic() - sentAt) / 1000);
    if (verdict.kind === "acked") {
      observe.acked(info, delivery);
      return;
    }
    const { names, message } = verdict;
    const { namespace, pod } = info.peer;
    const resources = names.slice(0, 10).join(", ");
    log.warn("a proxy refused resources", {
      namespace,
      pod,
      type: delivery.typeUrl,
      resources,
      count: names.length,
      message,
    });
    observe.nacked(info, { delivery, names, message });
  }

  /** What goes wrong on one stream ends that stream alone. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      const { namespace, pod } = this.info.peer;
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error("a stream failed", { namespace, pod, cause });
      this.end("INTERNAL", "the server failed on this stream");
    }
  }
}
