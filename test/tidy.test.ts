import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkSource, checkText } from "../scripts/tidy/file-rules.ts";
import { checkCycles, checkImports, checkReach } from "../scripts/tidy/import-rules.ts";
import { parseSource } from "../scripts/tidy/source-tree.ts";
import { describeFinding, tidy } from "../scripts/tidy.ts";

test("the source tree keeps its own rules", () => {
  const root = join(fileURLToPath(import.meta.url), "../..");
  const errors = tidy(root).filter(({ strength }) => strength === "error");
  expect(errors.map(describeFinding)).toEqual([]);
});

describe("a change is refused that", () => {
  const importing = (path: string, target: string) =>
    checkImports(parseSource(path, `import { x } from "${target}";\n`)).map(({ message }) => message);

  test.each([
    ["src/mesh/view.ts", "../kube/objects.ts", "must not import src/kube"],
    ["src/envoy/cluster.ts", "../xds/mod.ts", "must not import src/xds"],
    ["src/manifests/folder.ts", "../kube/mod.ts", "except through src/kube/objects.ts"],
    ["src/push/queue.ts", "../mesh/store.ts", "is not a door"],
    ["src/xds/server.ts", "../main/serve.ts", "only src/cli may"],
    ["src/lib/hash.ts", "../../test/fixtures/world.ts", "nothing imports test"],
    ["src/mesh/store.ts", "node:fs/promises", "is pure"],
    ["src/newcomer/a.ts", "../lib/mod.ts", "is no room"],
    ["src/xds/protocol/step.ts", "../sessions/session.ts", "src/xds/protocol must not import src/xds/sessions"],
    ["src/xds/protocol/step.ts", "node:net", "src/xds/protocol is pure"],
    ["src/xds/codec/messages.ts", "../../platform/mod.ts", "src/xds/codec is pure"],
    ["src/xds/newcomer/a.ts", "../resource.ts", "is no folder"],
  ])("imports across a wall: %s from %s", (path, target, message) => {
    expect(importing(path, target)).toEqual([expect.stringContaining(message)]);
  });

  test("imports in a circle", () => {
    const files = [
      parseSource("src/lib/a.ts", 'import type { B } from "./b.ts";\n'),
      parseSource("src/lib/b.ts", 'export { a } from "./a.ts";\n'),
    ];
    expect(checkCycles(files).map(({ message }) => message)).toEqual(["src/lib/a.ts -> src/lib/b.ts -> src/lib/a.ts"]);
  });

  test("leaves a file that nothing uses, while worker files named by URL count as used", () => {
    const files = [
      parseSource("src/main/cli.ts", 'new Worker(new URL("../../workers/sign.ts", import.meta.url));\n'),
      parseSource("workers/sign.ts", "export {};\n"),
      parseSource("src/lib/left-over.ts", "export {};\n"),
    ];
    expect(checkReach(files, ["src/main/cli.ts"]).map(({ path }) => path)).toEqual(["src/lib/left-over.ts"]);
  });

  test.each([
    ["a default export", "export default 1;\n", "exports"],
    ["output outside the CLI", "console.log(1);\n", "console"],
    ["a TODO that nobody tracks", "// TODO later\n", "todo"],
    ["a swallowed error", "try { x(); } catch {}\n", "catch"],
    ["its own clock", "export const x = () => Date.now();\n", "time"],
    ["its own timer", "setTimeout(() => {}, 1);\n", "time"],
    ["its own way to tell runtimes apart", "export const x = Deno.version;\n", "platform"],
    ["more than 500 lines", "export {};\n".repeat(501), "size"],
  ])("has %s", (_what, text, rule) => {
    expect(checkSource(parseSource("src/xds/a.ts", text)).map((finding) => finding.rule)).toEqual([rule]);
  });

  test.each([
    ["src/xds/utils.ts", "", "names"],
    ["src/xds/stringUtils.ts", "", "names"],
    ["docs/a.md", `see ${"/ho"}me/me/notes`, "machine-path"],
    ["package-lock.json", '"resolved": "https://example.org/a.tgz"', "lock-file"],
  ])("adds %s with text %s", (path, text, rule) => {
    expect(checkText(path, text).map((finding) => finding.rule)).toEqual([rule]);
  });
});
