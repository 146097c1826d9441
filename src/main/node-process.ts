/**
 * Entry of the process that runs the pods of a served folder. Its first argument says, as JSON, what to run; its standard
 * output speaks to the runner, its standard error is the log.
 */
import process from "node:process";
import { jsonLog, metricsRegistry, systemClock } from "../lib/mod.ts";
import { type NodeConfig, runNode } from "../local/mod.ts";
import { createParser } from "./parse-pool.ts";

const clock = systemClock();
const log = jsonLog({ write: (line) => process.stderr.write(line), now: clock.now }).child("node");
const { parse } = createParser(true, { clock, log, metrics: metricsRegistry() });
await runNode(JSON.parse(process.argv[2] ?? "") as NodeConfig, { clock, random: Math.random, log, parse });
