// A runner to be killed: starts the pods of what its argument describes and says when they are there.
import { systemClock } from "../../src/lib/mod.ts";
import { startNode } from "../../src/local/mod.ts";

const options = JSON.parse(process.argv[2] ?? "");
const edge = { clock: systemClock(), onLog: () => undefined, onRejections: () => undefined };
const node = startNode({ ...options, ...edge, callerEnvironment: process.env });
await node.settled;
process.stdout.write("settled\n");
await node.ended;
