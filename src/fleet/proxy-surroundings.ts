/** What a simulated proxy needs of the process that it is in. */
import type { ResourceMemory } from "./envoy-resources.ts";
import type { ProxyCounts } from "./proxy-counts.ts";

/** What all proxies of a process share. */
export interface ProxySurroundings {
  readonly memory: ResourceMemory;
  readonly counts: ProxyCounts;
  /** ms that never go back. */
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** Takes what a proxy writes on its stream. */
export interface ProxyStream {
  send(frames: Buffer | readonly Buffer[]): void;
}

/** What became of a response: for whoever waits for it. */
export type Verdict = "acknowledged" | "held" | "refused" | "unanswered";
