import { configureGlobal } from "fast-check";

/** Few enough for `npm run check`; `PROPERTY_RUNS=10000 npm test -- property` searches longer. */
const runs = Number(process.env.PROPERTY_RUNS ?? 50);

configureGlobal({ numRuns: runs, endOnFailure: true });
