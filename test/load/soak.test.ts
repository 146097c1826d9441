import { expect, test } from "vitest";
import { faultsOf, REST_MS, soak } from "../../bench/soak.ts";

/** Two slabs of pooled buffers more at the last look than at the first are a third of it. */
const MOST = { keptBytes: 60, per: "changes" } as const;
const QUICK = { seconds: 0, warmUpSeconds: 0, changeMs: 2, restMs: REST_MS };
const TIMEOUT_MS = 400_000;

test(
  "changes, reconnects and rotations leave nothing behind",
  async () => {
    const result = await soak({ ...QUICK, changesPerLook: 3000 });
    expect(result.changes).toBe(9000);
    expect(faultsOf(result, MOST)).toEqual([]);
  },
  TIMEOUT_MS,
);

/** Keeps an entry for each file that is read, and a timer for each connection. */
const PLANTED = `
import { subscribe } from "node:diagnostics_channel";
const kept = new Map();
const parse = JSON.parse;
JSON.parse = (text, reviver) => {
  kept.set("change " + kept.size, { at: performance.now() });
  return parse(text, reviver);
};
subscribe("net.server.socket", () => setTimeout(() => {}, 3_600_000).unref());
`;

test(
  "a map that keeps an entry for each change and a timer for each connection are found",
  async () => {
    const nodeFlags = ["--import", `data:text/javascript,${encodeURIComponent(PLANTED)}`];
    const result = await soak({ ...QUICK, changesPerLook: 1000, nodeFlags });
    const [heap, timers, ...others] = faultsOf(result, MOST);
    expect(heap).toMatch(/^the heap grows by \d+ bytes for each of the changes.*object Object/s);
    expect(timers).toMatch(/^there are \d+ timers more/);
    expect(others).toEqual([]);
  },
  TIMEOUT_MS,
);
