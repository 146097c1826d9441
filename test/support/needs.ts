import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";

/** What a test may need beyond the checkout: a real Envoy, or pods (Linux with namespaces) as well. */
export type Need = "envoy" | "pods";

/** The Envoy that the set-up found or installed, else one in PATH. */
export function envoyProgram(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return [process.env.OSM_ENVOY ?? "", ...folders.map((folder) => join(folder, "envoy"))].find(isProgram);
}

/**
 * Why `need` cannot be met, for `test.skipIf(missing("envoy"))` and the like. A reason that starts with "unobtainable"
 * is one that CI accepts: no set-up can change it.
 */
export function missing(need: Need): string | undefined {
  if (need === "pods" && process.platform !== "linux")
    return `unobtainable: pods need Linux, this is ${process.platform}`;
  if (need === "pods" && process.getuid?.() !== 0 && !existsSync("/usr/bin/newuidmap")) {
    return "pods without root need newuidmap: install Debian's package uidmap";
  }
  return envoyProgram() ? undefined : "no Envoy: npm test installs one, or name it in OSM_ENVOY";
}

/** Skips the running test, with the reason, unless `need` is met: `beforeEach((context) => skipUnless(context, "envoy"))`. */
export function skipUnless(context: TestContext, need: Need): void {
  const reason = missing(need);
  if (reason) context.skip(reason);
}

/** Skips the running test on Deno, which lacks `what`: `skipOnDeno(context, "resumption of TLS sessions")`. */
export function skipOnDeno(context: TestContext, what: string): void {
  if (process.versions["deno"] !== undefined) context.skip(`unobtainable: Deno has no ${what}`);
}

function isProgram(path: string): boolean {
  if (!path) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
