import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { h2specProgram } from "./h2spec-program.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "osm-h2spec-"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  vi.stubEnv("PATH", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A Go of some version that fails to build with these words. */
function installGo(version: string, words: string): void {
  const program = `#!/bin/sh\nif [ "$1" = version ]; then echo "go version go${version} linux/amd64"; else echo "${words}"; exit 1; fi\n`;
  writeFileSync(join(folder, "go"), program);
  chmodSync(join(folder, "go"), 0o755);
}

test("that h2spec cannot be built is overlooked without a network or a new Go, and by CI in no other case", async () => {
  expect(await h2specProgram()).toMatchObject({ missing: expect.stringMatching(/^unobtainable: .* no program `go`/) });
  installGo("1.19.8", "go: errors parsing go.mod");
  expect(await h2specProgram()).toMatchObject({ missing: expect.stringMatching(/^unobtainable: .*go.mod/) });
  installGo("1.99.0", "go: download: dial tcp: lookup proxy.golang.org: no such host");
  expect(await h2specProgram()).toMatchObject({ missing: expect.stringMatching(/^unobtainable: .*no such host/) });
  installGo("1.99.1", "verifying module: checksum mismatch, SECURITY ERROR");
  expect(await h2specProgram()).toEqual({
    missing: "h2spec cannot be built: verifying module: checksum mismatch, SECURITY ERROR",
  });
});
