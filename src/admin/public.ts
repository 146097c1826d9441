import type { Metrics, Rejection } from "../lib/mod.ts";
import type { IgnoredKinds, MeshConfigInfo, ProxyStatus, RejectionInfo, SocketPaths, VersionInfo } from "./api.ts";
import { HttpProblem, json, type Route, text } from "./http.ts";
import { renderMetrics } from "./prometheus.ts";

/** What the public address shows. Nothing here hands out keys or changes anything. */
export interface AdminReadModel {
  readonly version: VersionInfo;
  readonly metrics: Metrics;
  /** Undefined: ready. Else one sentence saying what is missing. */
  readonly unreadyReason: () => string | undefined;
  /** Undefined: alive. Else one sentence saying what is stuck. */
  readonly deadReason: () => Promise<string | undefined>;
  readonly proxies: () => Promise<readonly ProxyStatus[]>;
  /** What this proxy was sent, keys redacted; undefined when the pod has no proxy connected. */
  readonly proxyConfig: (namespace: string, pod: string) => Promise<unknown>;
  readonly rejections: () => Promise<readonly Rejection[]>;
  readonly ignoredKinds: () => IgnoredKinds;
  readonly meshConfig: () => MeshConfigInfo;
  readonly sockets: () => SocketPaths;
}

/** Routes of the admin address. Bodies of the health checks are those of OSM v1.2. */
export function publicRoutes(model: AdminReadModel): readonly Route[] {
  const get = (path: string, handle: Route["handle"]): Route => ({ method: "GET", path, handle });
  return [
    get("/health/ready", () => health(model.unreadyReason(), "Service is ready")),
    get("/health/alive", async () => health(await model.deadReason(), "Service is alive")),
    get("/metrics", () => ({
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: renderMetrics(model.metrics),
    })),
    get("/version", () => json(model.version)),
    get("/debug/proxies", async () => json(await model.proxies())),
    get("/debug/proxies/:namespace/:pod/config", async ({ params }) => {
      const { namespace = "", pod = "" } = params;
      const config = await model.proxyConfig(namespace, pod);
      if (config === undefined) throw new HttpProblem(404, `No proxy of pod ${namespace}/${pod} is connected`);
      return json(config);
    }),
    get("/debug/rejections", async () => json((await model.rejections()).map(rejectionInfo))),
    get("/debug/kinds", () => json(model.ignoredKinds())),
    get("/debug/meshconfig", () => json(model.meshConfig())),
    get("/debug/sockets", () => json(model.sockets())),
  ];
}

function health(problem: string | undefined, good: string) {
  return problem === undefined ? text(good) : text(problem, 503);
}

function rejectionInfo(rejection: Rejection): RejectionInfo {
  return { ...rejection, file: rejection.file ?? "", line: rejection.line ?? 0 };
}
