import { expect, test } from "vitest";
import type { Rejection } from "../lib/mod.ts";
import type { PushReport } from "../push/mod.ts";
import { pushLine } from "./push-lines.ts";
import { createRejectionLines } from "./rejection-lines.ts";

const peer = (pod: string) => ({ uuid: pod, namespace: "shop", pod, serviceAccount: "web" });
const report: PushReport = {
  generation: 7,
  changes: [
    {
      isEmpty: false,
      generation: 7,
      changed: new Map([
        ["Namespace", new Set(["/shop"])],
        ["Service", new Set(["shop/web"])],
      ]),
    },
  ],
  proxies: [peer("a"), peer("b"), peer("c"), peer("d")],
  responses: 4,
  resources: 1,
  bytes: 90,
  ms: 4.26,
  waiting: [],
};

test("a person sees what changed, to whom it went and how long the last proxy took", () => {
  expect(pushLine(report)).toBe(
    "#7 Namespace shop, Service shop/web changed: pushed 1 resource (90 B) to shop/a, shop/b, shop/c and 1 more proxy, acknowledged by the last after 4.3 ms",
  );
  expect(pushLine({ ...report, proxies: [] })).toBe("#7 Namespace shop, Service shop/web changed: nothing to push");
  expect(pushLine({ ...report, waiting: [peer("d")] })).toContain("still waiting for shop/d");
});

const rejection: Rejection = {
  kind: "TrafficSplit",
  namespace: "shop",
  name: "web",
  file: "split.yaml",
  line: 3,
  strength: "part",
  field: "spec.backends[0]",
  reason: "backend-missing",
  message: "There is no such Service.",
};

test("a rejection is told once with its place, and its end is told too", () => {
  const lines: string[] = [];
  const tell = createRejectionLines((text) => lines.push(text));
  tell([rejection]);
  tell([rejection]);
  tell([]);
  expect(lines).toEqual([
    "no effect: spec.backends[0] of TrafficSplit shop/web (split.yaml:3): There is no such Service.",
    "1 earlier rejection is gone",
  ]);
});

test("a file that names no object is shown by its place, and a thousand of them do not flood the terminal", () => {
  const lines: string[] = [];
  const tell = createRejectionLines((text) => lines.push(text));
  const file = (line: number): Rejection => ({
    ...rejection,
    kind: "",
    namespace: "",
    name: "",
    field: "",
    strength: "object",
    line,
  });
  tell(Array.from({ length: 1000 }, (_, line) => file(line)));
  expect(lines).toHaveLength(21);
  expect(lines[0]).toBe("no effect: split.yaml:0: There is no such Service.");
  expect(lines[20]).toContain("980 more");
});
