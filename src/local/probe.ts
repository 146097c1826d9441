import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, HttpGetAction, Probe } from "../kube/objects.ts";
import { http } from "../platform/http.ts";

/**
 * What one probe found. `absent`: nobody listens yet, which no program has noticed; it may be tried again early while a
 * container starts.
 */
export type ProbeOutcome =
  | { readonly result: "success" }
  | { readonly result: "failure" | "absent"; readonly message: string };

export interface ProbeTarget {
  readonly address: string;
  readonly container: Container;
  /** Runs a command in the container; gives its exit code, or undefined after `timeoutMs`. */
  run(argv: readonly string[], timeoutMs: number): Promise<number | undefined>;
}

/** Kubernetes' default; it also stands for 0. */
const DEFAULT_TIMEOUT_SECONDS = 1;
const SUCCESS: ProbeOutcome = { result: "success" };

/**
 * Carries out one probe as the kubelet does, from outside the pod
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes). A gRPC probe only connects.
 */
export async function carryOutProbe(probe: Probe, target: ProbeTarget): Promise<ProbeOutcome> {
  try {
    return await attempt(probe, target);
  } catch (error) {
    // A path, header or host that cannot be sent: the author of the probe has to see it, nobody else is concerned.
    const reason = error instanceof Error ? error.message : String(error);
    return { result: "failure", message: `the probe cannot be carried out: ${reason}` };
  }
}

async function attempt(probe: Probe, target: ProbeTarget): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds || DEFAULT_TIMEOUT_SECONDS) * 1000;
  if (probe.httpGet !== undefined) return httpProbe(probe.httpGet, target, timeoutMs);
  if (probe.tcpSocket !== undefined) {
    return tcpProbe(
      probe.tcpSocket.host ?? target.address,
      portNumber(probe.tcpSocket.port, target.container),
      timeoutMs,
    );
  }
  if (probe.grpc !== undefined) return tcpProbe(target.address, probe.grpc.port, timeoutMs);
  const command = probe.exec?.command ?? [];
  if (command.length === 0) return SUCCESS;
  const exitCode = await target.run(command, timeoutMs);
  if (exitCode === 0) return SUCCESS;
  const found = exitCode === undefined ? `did not end within ${timeoutMs} ms` : `ended with exit code ${exitCode}`;
  return { result: "failure", message: `${command.join(" ").slice(0, 120)} ${found}` };
}

/** A port as a probe names it; 0, on which nobody listens, for a name that the container does not have. */
function portNumber(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  return container.ports?.find(({ name }) => name === port)?.containerPort ?? (Number.parseInt(port, 10) || 0);
}

function httpProbe(action: HttpGetAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const port = portNumber(action.port, target.container);
  const isTls = action.scheme?.toUpperCase() === "HTTPS";
  const headers: Record<string, string> = { "User-Agent": "kube-probe/1.32", Accept: "*/*" };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  const options = {
    host: action.host ?? target.address,
    port,
    path: (action.path ?? "/").replace(/^(?!\/)/, "/"),
    headers,
    agent: false as const,
    timeout: timeoutMs,
    // The kubelet does not verify certificates of probed containers.
    rejectUnauthorized: false,
  };
  const subject = `GET ${isTls ? "https" : "http"}://${options.host}:${port}${options.path}`;
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : http.request)(options, (response) => {
      const status = response.statusCode ?? 0;
      const isSuccess = status >= 200 && status < 400;
      // A sidecar answers for a program that does not listen yet.
      const isAbsent = status === 503 && response.headers.server === "envoy";
      response.destroy();
      if (isSuccess) resolve(SUCCESS);
      else resolve({ result: isAbsent ? "absent" : "failure", message: `${subject} answered ${status}` });
    });
    const late = setTimeoutOnce(request, timeoutMs);
    request.on("close", late);
    request.on("error", (error: NodeJS.ErrnoException) => {
      resolve({
        result: error.code === "ECONNREFUSED" ? "absent" : "failure",
        message: `${subject}: ${error.message}`,
      });
    });
    request.end();
  });
}

/** Ends a request that has taken `timeoutMs` in all, not only been silent that long. */
function setTimeoutOnce(request: { destroy(error: Error): unknown }, timeoutMs: number): () => void {
  const signal = AbortSignal.timeout(timeoutMs);
  const expire = () => request.destroy(new Error(`no answer within ${timeoutMs} ms`));
  signal.addEventListener("abort", expire, { once: true });
  return () => signal.removeEventListener("abort", expire);
}

function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const subject = `connecting to ${host}:${port}`;
    const socket = connect({ host, port, timeout: timeoutMs });
    socket.once("connect", () => {
      socket.destroy();
      resolve(SUCCESS);
    });
    socket.once("timeout", () => {
      socket.destroy();
      resolve({ result: "failure", message: `${subject}: no answer within ${timeoutMs} ms` });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve({
        result: error.code === "ECONNREFUSED" ? "absent" : "failure",
        message: `${subject}: ${error.message}`,
      });
    });
  });
}
