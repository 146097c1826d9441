/** A process of simulated proxies: does what the process that started it asks for, and ends with it. */
import process from "node:process";
import { systemClock } from "../lib/mod.ts";
import { FleetEngine } from "./fleet-engine.ts";
import type { Answer, Call, StartArguments } from "./process-calls.ts";

/**
 * Node 26 cuts small buffers out of slabs of 64 KiB, and one that stays keeps its slab: the three bytes that each TLS socket
 * keeps of its ALPN, and tickets, held 300 MiB after 5,000 had reconnected. This is what it was before.
 */
Buffer.poolSize = 8192;

let engine: FleetEngine | undefined;

process.on("message", (call: Call) => void answer(call));
process.on("disconnect", () => process.exit(0));
// A terminal's Ctrl-C, and `timeout`, tell all processes; when the fleet ends is for the one that started it to say.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

async function answer({ id, method, args }: Call): Promise<void> {
  let answered: Answer;
  try {
    answered = { id, result: await perform(method, args) };
  } catch (error) {
    answered = { id, error: (error as Error).message, isRange: error instanceof RangeError };
  }
  // Whoever asked may be gone by now; then this process ends as well.
  process.send?.(answered, undefined, {}, () => undefined);
}

async function perform(method: Call["method"], args: readonly unknown[]): Promise<unknown> {
  if (method === "start") {
    const { target, proxies } = args[0] as StartArguments;
    engine = new FleetEngine({ target, proxies, clock: systemClock(), random: Math.random });
    return undefined;
  }
  if (engine === undefined) throw new Error(`"${method}" before "start"`);
  const run = engine[method].bind(engine) as (...given: readonly unknown[]) => Promise<unknown>;
  return await run(...args);
}
