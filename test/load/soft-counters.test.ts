/**
 * Figures that vary by a few percent from run to run, and hardly between machines. `soft-counters.json` says what they were
 * when they were last looked at; more than a tenth above that fails. What makes them smaller should be written down there.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allocatedPerDelivery, residentPerProxy } from "../../bench/soft-counters.ts";

const MARGIN = 1.1;

interface Baseline {
  readonly allocatedBytesPerDelivery: number;
  readonly residentKiBPerProxy: number;
}

const baseline = JSON.parse(readFileSync(new URL("./soft-counters.json", import.meta.url), "utf8")) as Baseline;

test("a delivery and its ACK allocate no more than they did", async () => {
  const bytes = Math.min(await allocatedPerDelivery(), await allocatedPerDelivery());
  expect(bytes).toBeLessThan(baseline.allocatedBytesPerDelivery * MARGIN);
});

test("a proxy occupies no more memory of the control plane than it did", async () => {
  const kibibytes = Math.min(await residentPerProxy(), await residentPerProxy()) / 1024;
  expect(kibibytes).toBeLessThan(baseline.residentKiBPerProxy * MARGIN);
});
