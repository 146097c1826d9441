import { createHash } from "node:crypto";
import type { TimingGroup } from "./timing.ts";

const BYTES = 2 ** 20;
const ENTRIES = 100_000;

/** Work that never changes: divided by it, times of two runs or two machines can be compared. */
export const yardstickTimings: TimingGroup = {
  name: "yardstick",
  make() {
    const bytes = new Uint8Array(BYTES).fill(7);
    const entries = new Map(Array.from({ length: ENTRIES }, (_, n) => [`entry-${n}`, n]));
    return [
      {
        name: "SHA-256 of 1 MiB, walk over 100,000 entries",
        run() {
          let sum = createHash("sha256").update(bytes).digest()[0] ?? 0;
          for (const value of entries.values()) sum += value;
          return sum;
        },
      },
    ];
  },
};
