/**
 * Whether `process.hrtime` counts from one moment in all processes of a machine, so that times taken in different ones can
 * be compared. Deno counts from the start of each process.
 */
export const hasCommonClock: boolean = process.versions["deno"] === undefined;
