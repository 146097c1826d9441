import { expect, test } from "vitest";
import { metricsRegistry, silentLog, systemClock } from "../lib/mod.ts";
import { createParser } from "./parse-pool.ts";

test("a big file says the same whether a thread reads it or not, with its objects in order", async () => {
  const edge = { clock: systemClock(), log: silentLog(), metrics: metricsRegistry() };
  const documents = Array.from(
    { length: 700 },
    (_, n) =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: pod-${n}, namespace: shop, labels: {note: "${"ü".repeat(500)}"}}\n`,
  );
  const job = { file: "pods.yaml", text: [...documents, "kind: Nothing\n"].join("---\n") };
  const [here, there] = [createParser(false, edge), createParser(true, edge)];
  const [expected, parsed] = [await here.parse(job), await there.parse(job)];
  await there.close();
  expect(parsed).toEqual(expected);
  expect(parsed.objects).toHaveLength(700);
  expect(parsed.rejections).toHaveLength(1);
});
