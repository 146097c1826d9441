import { createInterface } from "node:readline";
import type { RotationResult } from "./api.ts";
import { HttpProblem, type HttpRequest, json, type Route } from "./http.ts";

/** PEM texts of an xDS client credential. */
export interface CredentialFiles {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

/** Asks for a bootstrap that any Envoy can run with. */
export interface BootstrapRequest {
  readonly namespace: string;
  readonly pod: string;
  /** `HOST:PORT` at which that Envoy reaches the control plane; undefined: where it listens. */
  readonly xds: string | undefined;
  /** Absolute folder in which the files will lie; the bootstrap names it. */
  readonly directory: string;
}

/** What may be done over the private socket: it hands out keys, so only the user who runs the mesh may reach it. */
export interface ControlActions {
  /** Objects that arrive, a batch at a time, in the source's order. Resolves when they are taken in. */
  readonly acceptObjects: (batch: readonly unknown[]) => Promise<void> | void;
  readonly issueCredential: (subject: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly uuid: string;
  }) => Promise<CredentialFiles>;
  readonly settings: () => unknown;
  /** Files by name; undefined when there is no such pod or it has no proxy. */
  readonly proxyBootstrap: (request: BootstrapRequest) => Promise<Readonly<Record<string, string>> | undefined>;
  /** Resolves when every connected proxy has acknowledged its new certificate. */
  readonly rotateCertificates: () => Promise<RotationResult>;
}

/** Routes of the private socket. */
export function controlRoutes(actions: ControlActions): readonly Route[] {
  const post = (path: string, handle: Route["handle"]): Route => ({ method: "POST", path, handle });
  return [
    { method: "GET", path: "/settings", handle: () => json(actions.settings()) },
    post("/objects", async (request) => json({ lines: await readObjects(request, actions) })),
    post("/credentials", async (request) => json(await actions.issueCredential(subjectOf(await request.json())))),
    post("/proxies/:namespace/:pod/bootstrap", async (request) => {
      const { namespace = "", pod = "" } = request.params;
      const body = (await request.json()) as { xds?: unknown; directory?: unknown } | undefined;
      const xds = typeof body?.xds === "string" ? body.xds : undefined;
      if (typeof body?.directory !== "string")
        throw new HttpProblem(400, "A bootstrap needs the directory of its files");
      const files = await actions.proxyBootstrap({ namespace, pod, xds, directory: body.directory });
      if (files === undefined) {
        throw new HttpProblem(
          404,
          `There is no pod ${namespace}/${pod} with a proxy: it must exist, in a namespace of the mesh, with the label osm-proxy-uuid`,
        );
      }
      return json({ files });
    }),
    post("/certificates/rotate", async () => json(await actions.rotateCertificates())),
  ];
}

/** One JSON array of object events a line, until the sender hangs up. */
async function readObjects(request: HttpRequest, actions: ControlActions): Promise<number> {
  let lines = 0;
  for await (const line of createInterface({ input: request.raw, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === "") continue;
    lines += 1;
    const batch: unknown = JSON.parse(line);
    if (!Array.isArray(batch)) throw new HttpProblem(400, `Line ${lines} is no JSON array of object events`);
    await actions.acceptObjects(batch);
  }
  return lines;
}

function subjectOf(body: unknown): { namespace: string; serviceAccount: string; uuid: string } {
  const { namespace, serviceAccount, uuid } = (body ?? {}) as Record<string, unknown>;
  if (typeof namespace !== "string" || typeof serviceAccount !== "string" || typeof uuid !== "string") {
    throw new HttpProblem(400, "A credential needs namespace, serviceAccount and uuid");
  }
  return { namespace, serviceAccount, uuid };
}
