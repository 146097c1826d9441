/**
 * What the admin address answers: the read model behind the CLI, a dashboard and debugging alike. Types only.
 */
import type { Rejection } from "../lib/mod.ts";

/** `GET /version`; field names as OSM's. */
export interface VersionInfo {
  readonly version: string;
  readonly git_commit: string;
  readonly build_date: string;
}

/** The short names under which resource types are shown. */
export const RESOURCE_TYPES = ["cds", "eds", "lds", "rds", "sds"] as const;
export type ResourceType = (typeof RESOURCE_TYPES)[number];

/** What a proxy refused. */
export interface RefusalInfo {
  /** Envoy's own words. */
  readonly detail: string;
  readonly resources: readonly string[];
  /** Objects that these resources were made of, `Kind namespace/name (file:line)`. */
  readonly objects: readonly string[];
  /** RFC 3339. */
  readonly at: string;
}

/** One type on one stream: generations of the mesh snapshot. */
export interface TypeStatus {
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused?: RefusalInfo;
}

/** `GET /debug/proxies`: one entry per pod that should have a proxy. */
export interface ProxyStatus {
  readonly namespace: string;
  readonly pod: string;
  readonly serviceAccount: string;
  readonly uuid: string;
  readonly isPodReady: boolean;
  /** Why the pod is not ready, where its source says so. */
  readonly reason: string;
  readonly address: string;
  readonly isConnected: boolean;
  /** RFC 3339; empty when not connected. */
  readonly connectedAt: string;
  readonly protocol: "delta" | "sotw" | "";
  readonly types: Readonly<Partial<Record<ResourceType, TypeStatus>>>;
}

/** `GET /debug/rejections`. */
export interface RejectionInfo extends Rejection {
  readonly file: string;
  readonly line: number;
}

/** `GET /debug/sockets`: paths of the sockets over which commands act; null when there is none. */
export interface SocketPaths {
  readonly control: string | null;
  readonly node: string | null;
}

/** `GET /debug/meshconfig`: the settings in force. */
export interface MeshConfigInfo {
  readonly settings: unknown;
  /** Fields that the MeshConfig sets and that have no effect, with the reason. */
  readonly inactive: readonly { readonly field: string; readonly reason: string }[];
}

/** `GET /debug/kinds`: objects that were read and are not acted on, by kind. */
export type IgnoredKinds = Readonly<Record<string, number>>;

/** `POST /certificates/rotate` on the control socket. */
export interface RotationResult {
  /** Proxies that acknowledged a new certificate. */
  readonly proxies: number;
}

/** Body of every error answer. */
export interface ErrorBody {
  readonly error: string;
}
