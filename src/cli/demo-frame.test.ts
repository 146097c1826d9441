import { describe, expect, test } from "vitest";
import { demoSteps } from "../main/mod.ts";
import { type DemoView, drawFrame } from "./demo-frame.ts";
import type { Flow } from "./demo-traffic.ts";

const flow = (from: Flow["from"], to: string, ...rates: readonly (readonly [string, string, number])[]): Flow => ({
  from,
  to,
  rates: rates.map(([answeredBy, outcome, perSecond]) => ({ answeredBy, outcome, perSecond })),
});
const flows = [
  flow("bookbuyer", "bookstore", ["bookstore-v1", "200", 15], ["bookstore-v2", "200", 5]),
  flow("bookthief", "bookstore", ["", "refused", 18]),
  flow("bookstore-v1", "bookwarehouse", ["bookwarehouse", "200", 7]),
  flow("bookstore-v2", "bookwarehouse"),
  flow("bookwarehouse", "mysql", ["", "503", 2]),
];
const met = (expected: string) => ({ state: "met", expected, observed: "20 of 20" }) as const;
const push = `#11 MeshConfig osm-system/osm-mesh-config changed: pushed 8 resources (22950 B) to ${"bookbuyer/bookbuyer-z572qlqv6b-k4mk8, ".repeat(3)}and 3 more proxies, acknowledged by the last after 42.9 ms`;

/** The second step puts two files, the most of all. */
function view(number: number, change: Partial<DemoView> = {}): DemoView {
  const data = demoSteps[number - 1];
  if (data === undefined) throw new Error(`there is no step ${number}`);
  const progress = { state: "met", verdicts: data.expects.map(({ kind }) => met(kind)) } as const;
  return { step: { number, of: demoSteps.length, data }, progress, flows, lines: [push], seconds: 83, ...change };
}
const plain = { columns: 80, rows: 24, hasColor: false };

describe("on a terminal of 80 by 24", () => {
  test.each(demoSteps.map(({ id }, index) => [index + 1, id] as const))("step %i (%s) fits", (number) => {
    const lines = drawFrame(view(number), plain);
    expect(lines).toHaveLength(24);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const text = lines.join("\n");
    expect(text).toContain(demoSteps[number - 1]?.title);
    expect(text).toMatch(/ ✓ /);
    expect(text).toContain("42.9 ms");
    expect(text).toContain("Enter ");
    for (const { shows } of demoSteps[number - 1]?.puts ?? []) for (const shown of shows) expect(text).toContain(shown);
  });

  test("who is denied is told by word, not by color alone; other failures are no denial", () => {
    const lines = drawFrame(view(2), plain);
    expect(lines.find((line) => line.includes("bookthief"))).toMatch(/18\.0\/s DENIED \(refused\)/);
    expect(lines.find((line) => line.includes("mysql"))).toMatch(/2\.0\/s FAILED \(status 503\)/);
    expect(lines.find((line) => line.startsWith(" bookstore-v2"))).toContain("no calls");
    expect(lines.join("")).not.toContain("\x1b");
  });

  test("shares are bars in proportion", () => {
    const bar = drawFrame(view(3), plain).find((line) => line.startsWith("     bookstore-v1"));
    expect(bar).toContain(`${"█".repeat(18)}${"░".repeat(6)}  75 %  15.0/s`);
  });

  test("an expectation that was not met is shown with what was seen instead", () => {
    const miss = { state: "unmet", expected: "every call is refused", observed: "3 of 20 calls served" } as const;
    const text = drawFrame(view(2, { progress: { state: "unmet", verdicts: [met("x"), miss] } }), plain).join("\n");
    expect(text).toContain("✗ expected every call is refused: observed 3 of 20 calls served");
  });

  test("what may still come is not shown as failed", () => {
    const miss = { state: "unmet", expected: "every call is refused", observed: "3 of 20 calls served" } as const;
    const text = drawFrame(view(2, { progress: { state: "watching", verdicts: [miss] } }), plain).join("\n");
    expect(text).not.toContain("✗");
  });

  test("nothing can be pressed but q while a step has not come to its end", () => {
    const last = (change: Partial<DemoView>) => drawFrame(view(2, change), plain).at(-1);
    expect(last({ progress: { state: "watching", verdicts: [] } })).toBe(" q quit");
    expect(last({})).toContain("Enter next step");
    expect(drawFrame(view(demoSteps.length), plain).at(-1)).toContain("Enter end");
    expect(drawFrame({ flows: [], lines: [], seconds: 0 }, plain).at(-1)).toBe(" q quit");
  });
});

test("color surrounds words and takes no room", () => {
  const line = drawFrame(view(2), { ...plain, hasColor: true }).find((each) => each.includes("bookthief")) ?? "";
  expect(line).toContain("\x1b[31;1m  18.0/s DENIED (refused) \x1b[0m");
});

test.each([
  [20, 5],
  [40, 12],
  [300, 100],
  [1, 1],
])("a terminal of %i by %i gets no more than fits", (columns, rows) => {
  for (const number of [1, 2, 6]) {
    const lines = drawFrame(view(number), { columns, rows, hasColor: false });
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  }
});

test("a big terminal gets every expectation and the whole line of the control plane", () => {
  const text = drawFrame(view(2), { columns: 110, rows: 40, hasColor: false }).join("\n");
  for (const { kind } of demoSteps[1]?.expects ?? []) expect(text).toContain(`✓ ${kind}: 20 of 20`);
  expect(text).toContain("42.9 ms");
});
