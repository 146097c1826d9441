export { hasCommonClock } from "./common-clock.ts";
export { makeFolder } from "./folders.ts";
export { inlinePool, type Pool, PoolError, type PoolOptions, type PoolReporting, runTwice, startPool } from "./pool.ts";
export { killsPipedChildren, runtimeCommand } from "./program.ts";
export { gainsBySharedPorts } from "./shared-ports.ts";
export { nextTurn, workedMs, workInTurns, workOneSlice } from "./turns.ts";
