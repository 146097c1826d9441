import { expect, test } from "vitest";
import { jsonLog, manualClock } from "../../lib/mod.ts";
import { rateLimitedLog } from "./rate-limited-log.ts";

test("a flood of bad sessions leaves few lines, and a later one says how many are missing", () => {
  const lines: { message: string; omitted?: number }[] = [];
  const clock = manualClock();
  const log = rateLimitedLog(jsonLog({ write: (line) => lines.push(JSON.parse(line)), now: () => 0 }), clock);
  for (let n = 0; n < 1000; n++) log.warn("refused a stream", { n });
  expect(lines).toHaveLength(50);
  log.error("a stream failed");
  expect(lines.at(-1)).toMatchObject({ message: "a stream failed" });
  clock.advance(1000);
  for (let n = 0; n < 1000; n++) log.warn("ended a stream");
  expect(lines).toHaveLength(56);
  expect(lines.slice(51).map(({ omitted }) => omitted)).toEqual([950, undefined, undefined, undefined, undefined]);
});
