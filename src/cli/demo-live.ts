import process from "node:process";
import { demoSteps } from "../main/mod.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { type DemoView, drawFrame } from "./demo-frame.ts";
import { type DemoSession, startDemoSession } from "./demo-session.ts";
import { awaitFirstAnswer, runStep } from "./demo-step.ts";

const REDRAW_MS = 200;
const NOTES_MAX = 20;
/** Of a mesh without traffic between others; in the order in which books come and go. */
const FLOWS = [
  ["bookbuyer", "bookstore"],
  ["bookthief", "bookstore"],
  ["bookstore-v1", "bookwarehouse"],
  ["bookstore-v2", "bookwarehouse"],
  ["bookwarehouse", "mysql"],
] as const;

/** Guides through all steps on a terminal, one key at a time. */
export async function runLive(
  options: { readonly stateDir?: string; readonly workers: number },
  context: CommandContext,
): Promise<number> {
  const quit = new AbortController();
  const signal = AbortSignal.any([context.signal, quit.signal]);
  const lines: string[] = [];
  const notes: string[] = [];
  const startedMs = performance.now();
  let view: Pick<DemoView, "step" | "progress" | "firstAnswer"> = {};
  let session: DemoSession | undefined;
  let next = () => {};
  const screen = openScreen(context, {
    draw: ({ columns, rows }) => {
      const nowMs = performance.now();
      const flows = session === undefined ? [] : FLOWS.map(([from, to]) => session?.traffic.flow(from, to, nowMs));
      return drawFrame(
        { ...view, flows: flows.filter((flow) => flow !== undefined), lines, seconds: (nowMs - startedMs) / 1000 },
        { columns, rows, hasColor: (context.env["NO_COLOR"] ?? "") === "" },
      );
    },
    onNext: () => next(),
    onQuit: () => quit.abort(),
  });
  try {
    session = await startDemoSession(
      {
        ...options,
        line: (text) => void lines.splice(0, lines.length, text.trimEnd()),
        note: (text) => void notes.splice(0, notes.length, ...notes.slice(1 - NOTES_MAX), text),
      },
      { ...context, signal },
    );
    view = { firstAnswer: await awaitFirstAnswer(session) };
    for (const [index, data] of demoSteps.entries()) {
      view = { ...view, step: { number: index + 1, of: demoSteps.length, data } };
      await runStep(data, session, (progress) => {
        view = { ...view, progress };
      }).then((progress) => {
        view = { ...view, progress };
      });
      const pressed = new Promise<void>((resolve) => {
        next = resolve;
      });
      await Promise.race([pressed, session.ended]);
      next = () => {};
    }
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted) return EXIT.ok;
    screen.close();
    for (const note of notes) context.note(note);
    throw error;
  } finally {
    screen.close();
    context.note("Stopping the mesh\n");
    await session?.stop();
  }
}

interface Screen {
  close(): void;
}

/** Takes the terminal: its second screen, and its keys one at a time. `close` gives everything back. */
function openScreen(
  context: CommandContext,
  on: {
    readonly draw: (size: { readonly columns: number; readonly rows: number }) => readonly string[];
    readonly onNext: () => void;
    readonly onQuit: () => void;
  },
): Screen {
  const { stdin, stdout } = process;
  let isOpen = true;
  const redraw = () => {
    const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 };
    // Over the old picture, line by line: clearing first would flicker. All in one write.
    const picture = on.draw(size).map((line) => `${line}\x1b[K`);
    context.write(`\x1b[H${picture.join("\r\n")}\x1b[J`);
  };
  const onKeys = (text: string) => {
    for (const key of text) {
      if (key === "q" || key === "Q" || key === "\x03" || key === "\x04") on.onQuit();
      else if (key === "\r" || key === "\n" || key === " ") on.onNext();
    }
  };
  context.write("\x1b[?1049h\x1b[?25l\x1b[?7l");
  stdin.setRawMode(true);
  stdin.setEncoding("utf8").on("data", onKeys).resume();
  stdout.on("resize", redraw);
  const timer = setInterval(redraw, REDRAW_MS);
  redraw();
  return {
    close() {
      if (!isOpen) return;
      isOpen = false;
      clearInterval(timer);
      stdout.off("resize", redraw);
      stdin.off("data", onKeys).pause();
      stdin.setRawMode(false);
      context.write("\x1b[?7h\x1b[?25h\x1b[?1049l");
    },
  };
}
