import { expect, test } from "vitest";
import { printable } from "./mod.ts";

test("a name in a manifest cannot clear the terminal, forge a line or hide what follows", () => {
  expect(printable("\u001b[2J\r\nServing\u0000 \u009b1m\u007f")).toBe(
    "\\u001b[2J\\r\\nServing\\u0000 \\u009b1m\\u007f",
  );
});

test("what people can read stays as it is", () => {
  expect(printable('größe "1\\n" 漢字')).toBe('größe "1\\n" 漢字');
});
