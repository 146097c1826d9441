import { expect, test } from "vitest";
import { carryOutProbe } from "./probe.ts";

const target = { address: "127.0.0.1", container: { name: "app" }, run: async () => 0 };

test.each([
  ["a path that HTTP has no place for", { httpGet: { port: 80, path: "/he llo\u0000" } }],
  ["a header that is none", { httpGet: { port: 80, httpHeaders: [{ name: "no header", value: "x" }] } }],
  ["a port beyond the last", { tcpSocket: { port: 99_999 } }],
])("a probe with %s fails for its own pod, and does not end the pods", async (_case, probe) => {
  expect(await carryOutProbe(probe, target)).toMatchObject({ result: "failure" });
});
