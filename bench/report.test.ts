import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import { measurementLine } from "./report.ts";

test("a single value is shown without noise, and only stages as so many a second", () => {
  const line = (name: string, ...values: readonly number[]) =>
    measurementLine({ name, unit: "ms", samples: summarize(values) });
  expect(line("micro/step", 2, 2)).toBe("micro/step: p50 2.00 ms, p99 2.00 ms, 500 a second, noise ±0.0 %, n 2");
  expect(line("fleet/K: to each proxy", 2, 2)).toBe(
    "fleet/K: to each proxy: p50 2.00 ms, p99 2.00 ms, noise ±0.0 %, n 2",
  );
  expect(line("fleet/K: loop delay", 2)).toBe("fleet/K: loop delay: 2.00 ms, n 1");
});
