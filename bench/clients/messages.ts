/** What the bench and the process of its clients say to each other. */
import type { ClientCredential } from "./delta-client.ts";

export type ToClients =
  /** Connects all clients. `watch` is the name of the endpoints that will change. */
  | {
      readonly type: "connect";
      readonly address: string;
      readonly credentials: readonly ClientCredential[];
      readonly watch: string;
    }
  /** Closes all streams and opens them again, with the versions of what each client has. */
  | { readonly type: "reconnect" }
  | { readonly type: "count" };

export type FromClients =
  /** Every client has all that it asked for. */
  | { readonly type: "complete" }
  /** Every client has acknowledged one more change of the watched endpoints. */
  | {
      readonly type: "changed";
      /** When each acknowledged, on the monotonic clock of the machine, ns. */
      readonly acknowledgedAt: readonly string[];
      /** Distinct contents that the clients have now, as sorted addresses; more than one is a fault. */
      readonly contents: readonly string[];
    }
  | { readonly type: "counted"; readonly counts: ClientCounts }
  | { readonly type: "failed"; readonly message: string };

/** All clients together, since they connected. */
export interface ClientCounts {
  readonly responses: number;
  readonly resources: number;
  /** Resources whose very bytes the client had already. */
  readonly repeated: number;
  readonly removed: number;
  readonly bytes: number;
}
