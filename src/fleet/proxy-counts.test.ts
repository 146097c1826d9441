import { expect, test } from "vitest";
import { ProxyCounts } from "./proxy-counts.ts";

test("what a server says of an error neither moves the cursor of a terminal nor forges a line, and is bounded", () => {
  const counts = new ProxyCounts();
  counts.error("grpc-status-7\u001b[2J", "go\noracle: passed \u001b[31m");
  counts.error("grpc-status-7\u001b[2J", "again");
  for (let code = 0; code < 1000; code++) counts.error(`grpc-status-${code}${"0".repeat(1000)}`, "x".repeat(1000));
  const { errors, errorExamples } = counts.snapshot();
  expect(errors["grpc-status-7\\u001b[2J"]).toBe(2);
  expect(errorExamples["grpc-status-7\\u001b[2J"]).toBe("go\\noracle: passed \\u001b[31m");
  expect(Object.keys(errors).length).toBeLessThanOrEqual(65);
  expect(JSON.stringify([errors, errorExamples]).length).toBeLessThan(40_000);
});
