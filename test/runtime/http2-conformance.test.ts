import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../scripts/set-up/step.mjs";
import { h2specProgram } from "../http2/h2spec-program.ts";
import { answerAtTheEnd, startLoopbackServer } from "../http2/loopback-server.ts";

test("a client that goes by the specifications is answered as they say, and one that breaks them too", async (context) => {
  const h2spec = await h2specProgram();
  if ("missing" in h2spec) return context.skip(h2spec.missing);
  await using server = await startLoopbackServer(answerAtTheEnd);
  const report = join(tmpdir(), `h2spec-${process.pid}.xml`);
  const options = ["--host", "127.0.0.1", "--port", String(server.port), "--timeout", "5", "--junit-report", report];
  const { output } = await run(h2spec.program, [...options, "--strict"]);
  const cases = readFileSync(report, "utf8").split("<testcase").slice(1);
  rmSync(report);
  const notPassed = cases.filter((one) => /<(failure|error|skipped)/.test(one));
  expect({ cases: cases.length, notPassed }, output).toEqual({ cases: 146, notPassed: [] });
}, 120_000);
