import { join } from "node:path";
import type { Clock, HostPort, Metrics, Rejection } from "../lib/mod.ts";
import type { MeshSnapshot } from "../mesh/mod.ts";
import type { DeliveryTracker, PushEngine } from "../push/mod.ts";
import type { Intake } from "./intake.ts";
import type { MeshSecrets } from "./mesh-secrets.ts";
import type { ControlPlaneOptions } from "./options.ts";
import type { TableReader } from "./proxy-config.ts";

/** The xDS server as the rest of the control plane sees it. */
export interface ServedXds {
  readonly address: HostPort;
  /** Ends the streams of those proxies of `namespaces` whose pods are gone, or whose namespace is no longer in the mesh. */
  dropStrangers(snapshot: MeshSnapshot, namespaces: ReadonlySet<string>): void;
  close(): Promise<void>;
}

/** What the admin address and the control socket look at and act on. */
export interface ControlPlaneState {
  readonly options: ControlPlaneOptions;
  readonly intake: Intake;
  readonly engine: PushEngine;
  readonly secrets: MeshSecrets;
  readonly tracker: DeliveryTracker;
  readonly reader: TableReader;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Rejections of the folder itself: files that cannot be read. */
  fileRejections: () => readonly Rejection[];
  /** Where proxies are served; undefined until they are. */
  xds: ServedXds | undefined;
}

/** Paths of the sockets below `socketDir`. */
export function socketPaths(socketDir: string) {
  return {
    control: join(socketDir, "control.sock"),
    node: join(socketDir, "node.sock"),
    xds: join(socketDir, "xds.sock"),
  };
}
