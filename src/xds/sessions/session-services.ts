import type { Clock, Log } from "../../lib/mod.ts";
import type { EncodedResponses } from "../codec/encoded-responses.ts";
import type { DeliveryObserver, StreamInfo } from "../observer.ts";
import type { DeltaRequest, StreamLimits } from "../protocol/protocol.ts";
import type { RefusalMemory } from "../protocol/refusals.ts";
import type { SharedResponses } from "../protocol/shared-responses.ts";
import type { TableDifference } from "../protocol/table-difference.ts";
import type { Peer } from "../resource.ts";
import type { StreamTransport } from "../transport.ts";
import type { TurnBudget } from "./turn-budget.ts";
import type { XdsMetrics } from "./xds-metrics.ts";

/** What the sessions of one server have in common. */
export interface ServicesOf<Session> {
  readonly difference: TableDifference;
  readonly responses: SharedResponses;
  readonly encoded: Readonly<Record<StreamInfo["protocol"], EncodedResponses>>;
  /** The short way to read a request; undefined where only the decoder can. */
  readonly readDeltaRequest: (bytes: Uint8Array) => DeltaRequest | undefined;
  readonly limits: StreamLimits & {
    /** A stream on which nothing was asked for so long is ended. */
    readonly firstRequestMs: number;
    /** How long after its first request a reconnecting proxy has named every type that it uses. */
    readonly quietMs: number;
  };
  readonly observe: DeliveryObserver;
  readonly metrics: XdsMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly turn: TurnBudget<Session>;
  /** Called once for each session, when its stream is over. */
  readonly onOver: (session: Session) => void;
}

export interface SessionOptions {
  readonly slot: number;
  readonly peer: Peer;
  readonly protocol: StreamInfo["protocol"];
  readonly transport: StreamTransport;
  readonly nodeIds: readonly string[];
  readonly memory: RefusalMemory;
}
