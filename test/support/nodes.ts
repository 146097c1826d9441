import { delimiter } from "node:path";

/** The Node that runs the tests, and the older ones that the set-up found. */
export const nodes: readonly string[] = [
  process.execPath,
  ...(process.env.OLDER_NODES ?? "").split(delimiter).filter(Boolean),
];
