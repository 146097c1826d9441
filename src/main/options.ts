import type { Clock, HostPort, Log, Metrics } from "../lib/mod.ts";
import type { XdsTransport } from "../xds/mod.ts";

/** What `osm serve` is told; every field is already checked. */
export interface ServeOptions {
  /** Absolute path of the folder of manifests. */
  readonly dir: string;
  /** Run the folder's workloads as local pods, or take Pods and EndpointSlices as they stand. */
  readonly hasPods: boolean;
  readonly caDir: string;
  readonly stateDir: string;
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly readyFile?: string;
  /** Generate threads; 0 runs everything on the main thread. */
  readonly workers: number;
  /** What carries the proxies' streams; the server's choice when undefined. */
  readonly transport?: XdsTransport;
  /** Threads that carry the proxies' connections; undefined or 0: the main thread does. */
  readonly streamThreads?: number;
  readonly meshName: string;
  readonly osmNamespace: string;
  readonly trustDomain: string;
}

/** `HOST:PORT`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Start-up failed for a reason that a person can mend; the message is the one sentence to show. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** What the control plane is told beside that. */
export interface ControlPlaneOptions extends ServeOptions {
  /** Folder of the sockets; short, because paths of sockets are. */
  readonly socketDir: string;
  readonly version: string;
}

export interface PodAddress {
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly serviceAccount: string;
}

/** Time, chance and reporting, as the control plane's parts share them. */
export interface Edge {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
}
