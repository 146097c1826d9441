/**
 * A program that a test runs in a pod: one command as JSON a line on standard input, one answer a line. It lives as long
 * as its input, so that a request costs no process. Commands and answers: `protocol.ts`.
 */
import { readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import type { Answer, Command, HttpAnswer, HttpCall, LoadReport, TcpAnswer, TlsCall } from "./protocol.ts";

/** Nothing that a test asks for takes as long: what policy refuses ends at once. */
const PATIENCE_MS = 5000;

function http(call: HttpCall, agent: Agent | false = false): Promise<HttpAnswer> {
  const { host, port = 80, path = "/", method = "GET", headers = {} } = call;
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const failed = (error: string) => resolve({ status: 0, name: "", error, ms: performance.now() - startedMs });
    const asked = httpRequest({ host, port, path, method, headers, agent, timeout: PATIENCE_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", (error) => failed(error.message));
      response.on("end", () => {
        const said = body.startsWith("{") ? JSON.parse(body) : {};
        const ms = performance.now() - startedMs;
        resolve({ status: response.statusCode ?? 0, name: said.name ?? "", said, ms });
      });
    });
    asked.on("timeout", () => asked.destroy(new Error("timed out")));
    asked.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
    asked.end();
  });
}

function tls({ host, port, serverName, pem, say }: TlsCall): Promise<TcpAnswer> {
  const both = readFileSync(pem, "utf8");
  // Whom it talks to does not matter here.
  const trust = { ca: [], rejectUnauthorized: false };
  const options = { host, port, servername: serverName, key: both, cert: both, ALPNProtocols: ["osm"], ...trust };
  return firstBytes(() => connectTls(options), say);
}

function tcp(host: string, port: number, say: string | undefined): Promise<TcpAnswer> {
  return firstBytes(() => connect({ host, port }), say);
}

/** Says `say` or nothing; what came first, or how it ended. */
function firstBytes(open: () => Socket, say: string | undefined): Promise<TcpAnswer> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const socket = open();
    const finish = (text: string, end: TcpAnswer["end"]) => {
      socket.destroy();
      resolve({ text, end, ms: performance.now() - startedMs });
    };
    if (say !== undefined) socket.write(say);
    socket.setTimeout(PATIENCE_MS, () => finish("", "silent"));
    socket.on("data", (chunk) => finish(chunk.toString(), "answered"));
    socket.on("end", () => finish("", "ended"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish("", error.code === "ECONNREFUSED" ? "refused" : "ended"),
    );
  });
}

async function grpc(host: string, port: number, say: string): Promise<{ code: number; text: string }> {
  const { Client, credentials } = await import("@grpc/grpc-js");
  const client = new Client(`${host}:${port}`, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const asItIs = (bytes: Buffer) => bytes;
  const deadline = Date.now() + PATIENCE_MS;
  return await new Promise((resolve) => {
    client.makeUnaryRequest("/echo.Echo/Say", asItIs, asItIs, Buffer.from(say), { deadline }, (error, value) => {
      client.close();
      resolve({ code: error?.code ?? 0, text: value?.toString() ?? error?.details ?? "" });
    });
  });
}

function websocket(url: string, say: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(say);
    socket.onerror = () => resolve("refused");
    socket.onmessage = ({ data }) => {
      resolve(String(data));
      socket.close();
    };
  });
}

/** How many of `count` requests, a few at a time, were answered with which status by whom. */
async function tally(call: HttpCall, count: number): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const answers = await Promise.all(Array.from({ length: count }, () => http(call, agent)));
  agent.destroy();
  return counted(answers.map(labelOf));
}

async function tallyTcp(host: string, port: number, count: number): Promise<Record<string, number>> {
  const seen: string[] = [];
  const ask = async () => {
    while (seen.length < count) {
      const { text, end } = await tcp(host, port, "x");
      seen.push(text.split(" ")[0] || end);
    }
  };
  await Promise.all(Array.from({ length: 8 }, ask));
  return counted(seen.slice(0, count));
}

function labelOf({ status, name, error }: HttpAnswer): string {
  return [error ?? status, name].filter((part) => part !== "").join(" ");
}

function counted(labels: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** Requests without an end, on a connection that is kept and on new ones in turn. */
function startLoad(call: HttpCall): { report(): LoadReport; stop(): Promise<void> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  let isStopped = false;
  const ask = async (own: Agent | false) => {
    while (!isStopped) {
      const answer = await http(call, own);
      const label = labelOf(answer);
      counts[label] = (counts[label] ?? 0) + 1;
      if (answer.status !== 200 && failures.length < 20) failures.push(`${label} after ${answer.ms.toFixed(0)} ms`);
    }
  };
  const finished = Promise.all([ask(agent), ask(false)]);
  return {
    report: () => ({ counts: { ...counts }, failures: [...failures] }),
    async stop() {
      isStopped = true;
      await finished;
      agent.destroy();
    },
  };
}

const loads = new Map<string, ReturnType<typeof startLoad>>();

async function carryOut(command: Command): Promise<Answer[Command["do"]]> {
  switch (command.do) {
    case "http":
      return await http(command.call);
    case "tcp":
      return await tcp(command.host, command.port, command.say);
    case "tls":
      return await tls(command.call);
    case "grpc":
      return await grpc(command.host, command.port, command.say);
    case "websocket":
      return await websocket(command.url, command.say);
    case "tally":
      return await tally(command.call, command.count);
    case "tally-tcp":
      return await tallyTcp(command.host, command.port, command.count);
    case "start-load":
      loads.set(command.name, startLoad(command.call));
      return {};
    case "load-report":
      return loads.get(command.name)?.report() ?? { counts: {}, failures: ["no such load"] };
    case "stop-load": {
      const load = loads.get(command.name);
      loads.delete(command.name);
      await load?.stop();
      return load?.report() ?? { counts: {}, failures: ["no such load"] };
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command } = JSON.parse(line) as { id: number; command: Command };
  void carryOut(command).then((answer) => process.stdout.write(`${JSON.stringify({ id, answer })}\n`));
}
process.exit(0);
