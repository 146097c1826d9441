import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../scripts/set-up/cache-folder.mjs";
import { withFolderLock } from "../../scripts/set-up/folder-lock.mjs";
import { reasonIn, run } from "../../scripts/set-up/step.mjs";

const MODULE = fileURLToPath(new URL("./h2spec/", import.meta.url));

/** Path of h2spec, the public conformance tests of HTTP/2, built once for each version of it; or why there is none. */
export async function h2specProgram(): Promise<{ readonly program: string } | { readonly missing: string }> {
  const go = await run("go", ["version"]);
  if (go.code !== 0) return { missing: "unobtainable: h2spec needs Go, and there is no program `go` in PATH" };
  const hash = createHash("sha256")
    .update(go.output)
    .update(readFileSync(join(MODULE, "go.sum")));
  const program = join(cacheFolder(), "h2spec", hash.digest("hex").slice(0, 16), "h2spec");
  const folder = dirname(program);
  mkdirSync(dirname(folder), { recursive: true });
  let problem: string | undefined;
  await withFolderLock(
    `${folder}.lock`,
    () => undefined,
    async () => {
      if (existsSync(program)) return;
      const target = `${program}.${process.pid}`;
      const arguments_ = ["build", "-mod=readonly", "-o", target, "github.com/summerwind/h2spec/cmd/h2spec"];
      const { code, output } = await run("go", arguments_, { cwd: MODULE });
      if (code === 0) renameSync(target, program);
      else problem = `unobtainable: h2spec cannot be built with the Go that is here: ${reasonIn(output)}`;
    },
  );
  return problem === undefined ? { program } : { missing: problem };
}
