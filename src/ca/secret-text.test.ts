import { format, inspect } from "node:util";
import { expect, test } from "vitest";
import { jsonLog } from "../lib/mod.ts";
import { SecretText } from "./secret-text.ts";

test("a secret that finds its way into a log, an error or a dump is not seen there", () => {
  const secret = new SecretText("sesame");
  const lines: string[] = [];
  const log = jsonLog({ write: (line) => lines.push(line), now: () => 0 });
  log.error("oops", { secret: secret as unknown as string });
  const shown = [
    ...lines,
    String(secret),
    `${secret}`,
    JSON.stringify({ deep: [secret] }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    format("%o %s %j", secret, secret, secret),
    new Error(`bad ${secret}`).message,
  ];
  expect(shown.join("\n")).not.toContain("sesame");
  expect(secret.reveal()).toBe("sesame");
});
