import process from "node:process";

const isDeno = "Deno" in globalThis;

/** How this runtime starts a program of ours as a process of its own: before the program's file. */
export const runtimeCommand: readonly string[] = isDeno ? [process.execPath, "run", "-A"] : [process.execPath];

/** Whether a child with a pipe to it can be killed: Deno 2.9 throws `null` then. */
export const killsPipedChildren: boolean = !isDeno;
