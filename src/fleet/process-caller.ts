import { type ChildProcess, fork } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { smallMallocEnvironment } from "../platform/process-memory.ts";
import type { Fleet } from "./fleet-api.ts";
import type { Answer, Call, StartArguments } from "./process-calls.ts";

/** A process of the fleet is gone. */
export class FleetProcessError extends Error {
  override readonly name = "FleetProcessError";
  readonly code = "fleet-process-ended";
}

const STOP_MS = 5000;

/** Below the 64 KiB that each TLS connection reads into, so that these lie apart from what comes and goes. */
const MMAP_THRESHOLD = "60000";

/**
 * 5,000 connections of Node hold 50 MiB of small objects, and charge V8 with four times as much outside of its heap: left to
 * itself it collects every few MiB, for a third of the CPU of a reconnect. With these it does so half as often, and a
 * seventh as often in the young generation, for a hundredth more memory.
 */
const HEAP_FLAGS = ["--max-semi-space-size=8", "--initial-old-space-size=96"];

/** The near end of a process that holds proxies. */
export class FleetProcess {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;
  #ended: FleetProcessError | undefined;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("./fleet-child.ts", import.meta.url)), {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: [...process.execArgv, ...HEAP_FLAGS],
      env: smallMallocEnvironment({ MALLOC_MMAP_THRESHOLD_: MMAP_THRESHOLD, ...process.env }),
    });
    this.#child.on("message", (answer: Answer) => this.#take(answer));
    this.#child.once("exit", (code, signal) => this.#end(`it ended with ${signal ?? `code ${code}`}`));
    this.#child.once("error", (error) => this.#end(error.message));
  }

  start(given: StartArguments): Promise<void> {
    return this.#call("start", [given]) as Promise<void>;
  }

  call<Method extends keyof Fleet>(method: Method, ...args: Parameters<Fleet[Method]>): ReturnType<Fleet[Method]> {
    return this.#call(method, args) as ReturnType<Fleet[Method]>;
  }

  /** Ends the process, by force when it does not go by itself. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    const force = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    if (this.#child.connected) this.#child.disconnect();
    await gone;
    clearTimeout(force);
  }

  #call(method: Call["method"], args: readonly unknown[]): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const call: Call = { id: ++this.#calls, method, args };
    const answered = Promise.withResolvers<unknown>();
    this.#open.set(call.id, answered);
    this.#child.send(call, (error) => {
      if (error !== null && this.#open.delete(call.id)) answered.reject(new FleetProcessError(error.message));
    });
    return answered.promise;
  }

  #take(answer: Answer): void {
    const answered = this.#open.get(answer.id);
    this.#open.delete(answer.id);
    if ("result" in answer) answered?.resolve(answer.result);
    else answered?.reject(answer.isRange ? new RangeError(answer.error) : new Error(answer.error));
  }

  #end(why: string): void {
    this.#ended ??= new FleetProcessError(`a process of the fleet is gone: ${why}`);
    for (const answered of this.#open.values()) answered.reject(this.#ended);
    this.#open.clear();
  }
}
