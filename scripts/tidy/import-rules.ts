import { type Folder, outsideRooms, rooms, secondDoors } from "./rooms.ts";
import type { SourceFile } from "./source-tree.ts";

/** What is wrong with the tree; `advice` is reported and fails nothing. */
export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
  readonly strength: "error" | "advice";
}

/** Anything that runs I/O: a pure room that needs one of these is not pure. */
const inputOutput =
  /^node:(fs|child_process|cluster|dgram|dns|http|https|http2|net|os|process|readline|repl|tls|timers|tty|worker_threads)\b/;

/** What pure rooms and folders import beside each other. */
const beneathPure = ["src/lib", "proto"];

/** The room that holds `path`, or the top folder outside of rooms, or "" for a file at the top. */
export function roomOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] === "src") return parts.slice(0, 2).join("/");
  return parts.length > 1 ? (parts[0] ?? "") : "";
}

/** Holds every import against the table in rooms.ts. */
export function checkImports(file: SourceFile): Finding[] {
  const room = roomOf(file.path);
  if (room === "" || outsideRooms.includes(room)) return [];
  const rule = rooms[room];
  const findings: Finding[] = [];
  const report = (line: number, message: string) =>
    findings.push({ rule: "imports", path: file.path, line, message, strength: "error" });
  if (!rule) {
    report(1, `${room} is no room of scripts/tidy/rooms.ts; add it there with what it may import`);
    return findings;
  }
  const isTest = file.path.endsWith(".test.ts");
  const folder = folderOf(file.path, room);
  const own = isTest ? undefined : rule.folders?.[folder];
  if (folder !== "" && rule.folders !== undefined && rule.folders[folder] === undefined) {
    report(
      1,
      `${room}/${folder} is no folder of ${room} in scripts/tidy/rooms.ts; add it there with what it may import`,
    );
  }
  for (const { target, line, kind } of file.references) {
    if (kind === "package" && (rule.pure || own?.pure) && !isTest && inputOutput.test(target)) {
      report(line, `${rule.pure ? room : `${room}/${folder}`} is pure and must not import ${target}`);
    }
    if (kind !== "import") continue;
    const other = roomOf(target);
    if (other === room && own !== undefined) {
      const problem = crossingFolders(room, folder, own, target);
      if (problem) report(line, problem);
    }
    if (other === room || other === "") continue;
    if (isTest && other === "test") continue;
    const problem = crossing(room, other, target);
    if (problem) report(line, problem);
    else if (own?.pure && !rooms[other]?.pure && !beneathPure.includes(other)) {
      report(line, `${room}/${folder} is pure and must not import ${other}`);
    }
  }
  return findings;
}

/** The folder inside of `room` that holds `path`; empty for what lies beside its folders. */
function folderOf(path: string, room: string): string {
  const [first = "", ...more] = path.slice(room.length + 1).split("/");
  return more.length > 0 ? first : "";
}

function crossingFolders(room: string, folder: string, { mayImport }: Folder, target: string): string | undefined {
  const other = folderOf(target, room);
  if (other === "" || other === folder || mayImport.includes(other)) return undefined;
  return `${room}/${folder} must not import ${room}/${other} (found ${target})`;
}

function crossing(room: string, other: string, target: string): string | undefined {
  const allowed = rooms[room]?.mayImport ?? [];
  if (outsideRooms.includes(other)) return `${room} must not import ${target}: nothing imports ${other}`;
  if (other === "src/main" && room !== "src/cli") return `${room} must not import src/main: only src/cli may`;
  if (!allowed.includes("*") && !allowed.includes(other) && !allowed.includes(target)) {
    return `${room} must not import ${other}${allowed.some((a) => a.startsWith(`${other}/`)) ? ` except through ${allowed.filter((a) => a.startsWith(`${other}/`)).join(", ")}` : ""} (found ${target})`;
  }
  const isDoor = target === `${other}/mod.ts` || secondDoors.includes(target) || other === "proto";
  return isDoor ? undefined : `${target} is not a door: import ${other}/mod.ts and export there what is needed`;
}

/** Names one cycle for each file that starts one, shortest form: `a.ts -> b.ts -> a.ts`. */
export function checkCycles(files: readonly SourceFile[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const state = new Map<string, "open" | "done">();
  const findings: Finding[] = [];
  const trail: string[] = [];
  const visit = (path: string): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      const cycle = [...trail.slice(trail.indexOf(path)), path];
      findings.push({ rule: "cycles", path, line: 1, message: cycle.join(" -> "), strength: "error" });
      return;
    }
    state.set(path, "open");
    trail.push(path);
    for (const { target, kind } of byPath.get(path)?.references ?? []) {
      if (kind === "import" && byPath.has(target)) visit(target);
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const { path } of files) visit(path);
  return findings;
}

/** Files that nothing leads to from `entries` (paths), a test or a bench. */
export function checkReach(files: readonly SourceFile[], entries: readonly string[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const isStart = (path: string) => /\.(test|bench)\.ts$|^test\/|^[^/]+$/.test(path) || entries.includes(path);
  const reached = new Set<string>();
  const queue = files.map(({ path }) => path).filter(isStart);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { target } of byPath.get(path)?.references ?? []) if (byPath.has(target)) queue.push(target);
  }
  return files
    .filter(({ path }) => !reached.has(path))
    .map(({ path }) => ({
      rule: "reach",
      path,
      line: 1,
      message: "no entry, test or bench reaches this file: delete it or use it",
      strength: "error",
    }));
}
