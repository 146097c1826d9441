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
  readonly meshName: string;
  readonly osmNamespace: string;
  readonly trustDomain: string;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Start-up failed for a reason that a person can mend; the message is the one sentence to show. */
export class StartError extends Error {
  override readonly name = "StartError";
}
