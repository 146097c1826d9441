// A runner to be killed: starts the pods of what its argument describes and says when they are there.
import { systemClock } from "../../src/lib/mod.ts";
import { startNode } from "../../src/local/mod.ts";

const options = JSON.parse(process.argv[2] ?? "");
const node = startNode({ ...options, clock: systemClock(), callerEnvironment: process.env, onLog: () => undefined });
await node.settled;
process.stdout.write("settled\n");
await node.ended;
