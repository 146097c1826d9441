import type { CommandContext } from "./command.ts";

/** Where progress goes: one line that is written over on a terminal, a line for each thing that happens elsewhere. */
export function progressWriter(
  context: Pick<CommandContext, "note">,
  isTerminal: boolean,
): { readonly tell: (text: string) => void; readonly end: () => void } {
  let width = 0;
  let last = "";
  return {
    tell(text) {
      if (!isTerminal) {
        // What only counts on is for terminals.
        const kind = text.replaceAll(/\d+/g, "");
        if (kind !== last) context.note(`${text}\n`);
        last = kind;
        return;
      }
      const shown = text.slice(0, 120);
      context.note(`\r${shown.padEnd(width)}`);
      width = shown.length;
    },
    end() {
      if (isTerminal && width > 0) context.note(`\r${" ".repeat(width)}\r`);
      width = 0;
    },
  };
}
