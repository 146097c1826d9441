import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ExecPlan } from "../../../src/local/mod.ts";
import type { Answer, Command, HttpAnswer, HttpCall, LoadReport, TcpAnswer, TlsCall } from "./protocol.ts";

const PROGRAM = fileURLToPath(new URL("./pod-client.ts", import.meta.url));

/** Asks from within a pod, past its sidecar where it has one. */
export interface PodClient {
  /** `http://HOST[:PORT]/PATH`. */
  http(url: string, more?: Pick<HttpCall, "method" | "headers">): Promise<HttpAnswer>;
  /** Status alone: 0 when the connection was refused or ended. */
  status(url: string, more?: Pick<HttpCall, "method" | "headers">): Promise<number>;
  tcp(host: string, port: number, say?: string): Promise<TcpAnswer>;
  /** Shows a certificate of the mesh itself: to an application, or around the sidecar, as no honest pod does. */
  tls(call: TlsCall): Promise<TcpAnswer>;
  grpc(host: string, port: number, say: string): Promise<Answer["grpc"]>;
  websocket(url: string, say: string): Promise<string>;
  /** How many of `count` requests ended how: `200 server-1`. */
  tally(url: string, count: number): Promise<Readonly<Record<string, number>>>;
  /** How many of `count` connections to an echo were answered by whom. */
  tallyTcp(host: string, port: number, count: number): Promise<Readonly<Record<string, number>>>;
  /** Asks without a pause until it is told to stop. */
  startLoad(url: string): Promise<Load>;
  close(): void;
}

export interface Load {
  report(): Promise<LoadReport>;
  stop(): Promise<LoadReport>;
}

/** Starts the program in the pod to which `plan` leads. */
export function linkPodClient(plan: ExecPlan): PodClient {
  const [program = "", ...args] = [...plan.argv, process.execPath, PROGRAM];
  const child = spawn(program, args, { env: { ...plan.env }, cwd: plan.cwd, stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  let last = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { id, answer } = JSON.parse(line) as { id: number; answer: never };
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  child.once("close", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the program in the pod ended with ${code}`));
  });
  const ask = <C extends Command>(command: C): Promise<Answer[C["do"]]> => {
    const answer = Promise.withResolvers<never>();
    waiting.set(++last, answer);
    child.stdin.write(`${JSON.stringify({ id: last, command })}\n`);
    return answer.promise;
  };
  const http: PodClient["http"] = (url, more) => ask({ do: "http", call: { ...callOf(url), ...more } });
  return {
    http,
    status: async (url, more) => (await http(url, more)).status,
    tcp: (host, port, say) => ask({ do: "tcp", host, port, ...(say === undefined ? {} : { say }) }),
    tls: (call) => ask({ do: "tls", call }),
    grpc: (host, port, say) => ask({ do: "grpc", host, port, say }),
    websocket: (url, say) => ask({ do: "websocket", url, say }),
    tally: (url, count) => ask({ do: "tally", call: callOf(url), count }),
    tallyTcp: (host, port, count) => ask({ do: "tally-tcp", host, port, count }),
    async startLoad(url) {
      const name = `${url} ${last}`;
      await ask({ do: "start-load", name, call: callOf(url) });
      return {
        report: () => ask({ do: "load-report", name }),
        stop: () => ask({ do: "stop-load", name }),
      };
    },
    close: () => void child.stdin.end(),
  };
}

function callOf(url: string): HttpCall {
  const { hostname, port, pathname, search } = new URL(url);
  return { host: hostname, port: port === "" ? 80 : Number(port), path: `${pathname}${search}` };
}
