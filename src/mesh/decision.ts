import type { ObjectRef } from "../lib/mod.ts";

/** A connection or request of which somebody asks what becomes of it. */
export interface DecisionRequest {
  readonly source: { readonly namespace: string; readonly serviceAccount: string };
  /** The address that the client connects to, or the name that cluster DNS resolves for it. */
  readonly destination: ({ readonly address: string } | { readonly host: string }) & { readonly port: number };
  /** `Host` header or `:authority`; what the client connects to when absent. */
  readonly authority?: string;
  /** Default GET. */
  readonly method?: string;
  /** With or without a query; default `/`. */
  readonly path?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * `allowed`: reaches the application. `denied-403`: a route matches, but not for this client. `no-route-404`: no virtual
 * host or no route. `unavailable-503`: allowed to ask, but nobody can answer. `refused`: the connection ends at once.
 * `passthrough`: leaves the mesh as it is. `mixed`: the candidates differ.
 */
export type Outcome =
  | "allowed"
  | "denied-403"
  | "no-route-404"
  | "unavailable-503"
  | "refused"
  | "passthrough"
  | "mixed";

/** What becomes of the share that goes to one cluster and, in it, to endpoints of one service account. */
export interface DecisionCandidate {
  readonly cluster: string;
  /** Of the cluster, relative to the others. */
  readonly weight: number;
  /** Absent when the cluster has no endpoint for this client. */
  readonly serviceAccount?: string;
  readonly outcome: Exclude<Outcome, "passthrough" | "mixed">;
  readonly reason: string;
}

export interface Decision {
  readonly outcome: Outcome;
  /** One sentence. */
  readonly reason: string;
  /** Clusters with a weight above 0; empty when the client's own proxy ends it. */
  readonly candidates: readonly DecisionCandidate[];
  /** Objects that decided, sorted. */
  readonly objects: readonly ObjectRef[];
}
