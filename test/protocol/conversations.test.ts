import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Conversation } from "./conversation.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * Each file is a conversation between one proxy and the server: paragraphs of comments, a command, `----` and what the
 * server does. `UPDATE=1` writes down what it does now; read the difference before committing it.
 */
describe("conversations", () => {
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort()) {
    test(file.replace(".txt", "").replaceAll("-", " "), () => {
      const recorded = readFileSync(`${folder}/${file}`, "utf8");
      const now = replay(recorded);
      if (process.env["UPDATE"] === "1") writeFileSync(`${folder}/${file}`, now);
      else expect(now).toBe(recorded);
    });
  }
});

function replay(text: string): string {
  const conversation = new Conversation();
  const paragraphs = text.split(/\n{2,}/).map((paragraph) => paragraph.trim());
  const written = paragraphs.filter(Boolean).map((paragraph) => {
    const [input = ""] = paragraph.split(/^----$/m);
    const commands = input.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    if (commands.length === 0) return `${paragraph}\n`;
    const output = commands.map((command) => conversation.run(command)).join("");
    return `${input.trim()}\n----\n${output}`;
  });
  return written.join("\n");
}
