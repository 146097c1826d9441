import { printable, type Rejection } from "../lib/mod.ts";
import { describeRef } from "./proxy-status.ts";

/** Lines of one change; one more says how many were left out. */
const LINES_MAX = 20;

/** Tells a person which objects, or parts of them, have no effect since the last call, and which have it again. */
export function createRejectionLines(line: (text: string) => void): (rejections: readonly Rejection[]) => void {
  let known = new Set<string>();
  return (rejections) => {
    const lines = new Map(rejections.map((rejection) => [describeRejection(rejection), rejection]));
    const fresh = [...lines.keys()].filter((text) => !known.has(text));
    const goneCount = [...known].filter((text) => !lines.has(text)).length;
    for (const text of fresh.slice(0, LINES_MAX)) line(text);
    if (fresh.length > LINES_MAX) line(`${fresh.length - LINES_MAX} more have no effect; /debug/rejections lists all`);
    if (goneCount > 0) line(`${goneCount} earlier ${goneCount === 1 ? "rejection is" : "rejections are"} gone`);
    known = new Set(lines.keys());
  };
}

function describeRejection(rejection: Rejection): string {
  const { strength, field, message } = rejection;
  const what = strength === "part" && field !== "" ? `${field} of ${describeRef(rejection)}` : describeRef(rejection);
  return printable(`no effect: ${what}: ${message}`);
}
