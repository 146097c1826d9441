import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../scripts/set-up/cache-folder.mjs";
import { withFolderLock } from "../../scripts/set-up/folder-lock.mjs";
import { reasonIn, run } from "../../scripts/set-up/step.mjs";

const MODULE = fileURLToPath(new URL("./h2spec/", import.meta.url));

/** How Go says that it could not reach what it has to download, or is too old. */
const UNOBTAINABLE =
  /dial tcp|no such host|i\/o timeout|connection refused|network is unreachable|GOPROXY=off|requires go|errors parsing go.mod/;

/**
 * Path of h2spec, the public conformance tests of HTTP/2, built once for each version of it; or why there is none. That is
 * unobtainable without a network or a Go that is new enough; what else keeps it from being built is for CI to tell.
 */
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
      else problem = `${UNOBTAINABLE.test(output) ? "unobtainable: " : ""}h2spec cannot be built: ${reasonIn(output)}`;
    },
  );
  return problem === undefined ? { program } : { missing: problem };
}
