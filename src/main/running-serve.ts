import type { HostPort } from "../lib/mod.ts";
import type { PodAddress } from "./options.ts";

export interface ServeIo {
  /** Data. */
  readonly write: (text: string) => void;
  /** Everything else. */
  readonly note: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunningServe {
  /** Resolves when proxies are served and every pod is ready or has been named as unable to be. */
  readonly ready: Promise<ServeAddresses>;
  /** The admin address in use, known before the mesh is ready. */
  readonly admin: Promise<HostPort>;
  /** Process id of the control plane; undefined while it is being started again. */
  controlPlanePid(): number | undefined;
  /** Ends when the mesh does by itself: rejects with {@link StartError} saying why. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

/** What the ready file says, but for its form. */
export interface ServeAddresses {
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly pods: readonly PodAddress[];
}
