import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { nodes } from "../support/nodes.ts";

const checkout = join(fileURLToPath(import.meta.url), "../../..");

function run(program: string, ...args: string[]) {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: checkout, encoding: "utf8", env });
  return { status, stdout, stderr };
}

describe("the sources run as they stand", () => {
  test.each(nodes)("on %s", (node) => {
    expect(run(node, "src/main/cli.ts", "version")).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^osm \d/),
      stderr: "",
    });
  });

  test("on Deno, with the permissions that deno.json states", () => {
    const { status, stdout } = run("deno", "task", "--quiet", "osm", "version");
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^osm \d/) });
  });

  test("and deno task serve names a folder that is not there, relative to where it was called", () => {
    const { status, stderr } = run("deno", "task", "--quiet", "serve", "no such folder");
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining(join(checkout, "no such folder")),
    });
    expect(stderr).not.toContain("    at ");
  });
});

describe("npm run osm", () => {
  test("adds nothing to the command's output and keeps its exit code", () => {
    expect(run("npm", "run", "osm", "--", "version")).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^osm [^\n]+\n$/),
      stderr: "",
    });
    expect(run("npm", "run", "osm", "--", "pods", "--admin", "nonsense").status).not.toBe(0);
  });
});
