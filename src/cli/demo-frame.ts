import type { DemoStep } from "../main/mod.ts";
import type { StepProgress } from "./demo-step.ts";
import { type Flow, isServed, type Rate } from "./demo-traffic.ts";
import { isRefused, sayOutcome, type Verdict } from "./demo-verdict.ts";

/** Everything that the live view shows. */
export interface DemoView {
  /** Counted from 1; undefined while the mesh starts. */
  readonly step?: { readonly number: number; readonly of: number; readonly data: DemoStep };
  readonly progress?: StepProgress;
  readonly flows: readonly Flow[];
  /** What the control plane printed, newest last. */
  readonly lines: readonly string[];
  readonly seconds: number;
  /** Seconds until the first answer, once there was one. */
  readonly firstAnswer?: number;
}

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
  readonly hasColor: boolean;
}

type Tone = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
interface Span {
  readonly text: string;
  readonly tone?: Tone;
}
type Line = readonly Span[];

const CODES: Readonly<Record<Tone, string>> = {
  bold: "1",
  dim: "2",
  red: "31;1",
  green: "32",
  yellow: "33",
  cyan: "36",
};
const BAR_WIDTH = 24;
const EXPLANATION_WIDTH_MAX = 100;
/** A blank line, and one that sums up. */
const SUMMARY_ROWS = 2;
const PUSH_ROWS_MAX = 3;

/** The picture of `view`: at most as many lines as there are rows, none longer than there are columns. */
export function drawFrame(view: DemoView, { columns, rows, hasColor }: FrameSize): readonly string[] {
  const top = [...header(view, columns), ...explanation(view, columns)];
  const files = filesOf(view);
  const traffic = [[], ...view.flows.flatMap(trafficLines)];
  const used = top.length + files.length + traffic.length;
  const bottom = [...pushLines(view, columns, rows - used - SUMMARY_ROWS - 1), keys(view)];
  const verdicts = verdictLines(view, rows - used - bottom.length);
  const wanted = [...top, ...files, ...traffic, ...verdicts];
  const room = Math.max(rows - bottom.length, 0);
  // Where there is too little room, the file goes first; what to press stays.
  const body = wanted.length <= room ? wanted : [...top, ...traffic, ...verdicts].slice(0, room);
  const filler: readonly Line[] = Array.from({ length: room - body.length }, () => []);
  return [...body, ...filler, ...bottom].slice(-rows).map((line) => paint(line, columns, hasColor));
}

function header({ step, seconds }: DemoView, columns: number): readonly Line[] {
  const title =
    step === undefined ? "osm demo: starting" : `osm demo: step ${step.number} of ${step.of}: ${step.data.title}`;
  const clock = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const gap = " ".repeat(Math.max(columns - title.length - clock.length - 2, 1));
  return [
    [
      { text: ` ${title}`, tone: "bold" },
      { text: `${gap}${clock}`, tone: "dim" },
    ],
    [{ text: "─".repeat(columns), tone: "dim" }],
  ];
}

function explanation({ step }: DemoView, columns: number): readonly Line[] {
  const text =
    step === undefined
      ? "Six pods start in network namespaces of their own, each with a real Envoy as sidecar. The control plane tells the sidecars what to do; no program knows of them."
      : step.data.explanation;
  return wrap(text, Math.min(columns - 2, EXPLANATION_WIDTH_MAX)).map((line) => [{ text: ` ${line}` }]);
}

/** What is put in place, side by side where it is more than one file. */
function filesOf({ step }: DemoView): readonly Line[] {
  if (step === undefined) return [];
  const { puts, action } = step.data;
  const blocks = puts.map(({ to, shows }) => [`+ ${to}`, ...shows.map((line) => `  ${line}`)]);
  if (action === "rotate-certificates") blocks.push(["$ osm cert rotate"]);
  if (action === "kill-control-plane") blocks.push(["$ kill -KILL (the control plane)"]);
  if (blocks.length === 0) return [];
  const height = Math.max(...blocks.map((block) => block.length));
  const lines = Array.from(
    { length: height },
    (_, row): Line =>
      blocks.map((block): Span => {
        const width = Math.max(...block.map((line) => line.length)) + 4;
        return { text: ` ${block[row] ?? ""}`.padEnd(width), tone: row === 0 ? "bold" : "cyan" };
      }),
  );
  return [[], ...lines];
}

/** Who calls whom, how often, and how it ends; then who answered, where several do. */
function trafficLines({ from, to, rates }: Flow): readonly Line[] {
  const head: Span = { text: ` ${from.padEnd(13)} ─▶ ${to.padEnd(14)}` };
  if (rates.length === 0) return [[head, { text: `${" ".repeat(9)}no calls`, tone: "dim" }]];
  const served = rates.filter(isServed);
  const denied = rates.filter(isRefused);
  const failed = rates.filter((rate) => !isServed(rate) && !isRefused(rate));
  // Between two answers, a refusal is one of the past seconds: from before a change, or from before all were ready.
  const refusal = served.length === 0 ? "DENIED " : "";
  const ends = [
    ...group(served, "green", () => "answered"),
    ...group(denied, "red", ({ outcome }) => `${refusal}(${sayOutcome(outcome)})`),
    ...group(failed, "yellow", ({ outcome }) => `FAILED (${sayOutcome(outcome)})`),
  ];
  const sellers = served.filter(({ answeredBy }) => answeredBy.startsWith("bookstore-"));
  return [[head, ...ends], ...shareLines(sellers)];
}

function group(rates: readonly Rate[], tone: Tone, say: (rate: Rate) => string): readonly Span[] {
  const [first] = rates;
  if (first === undefined) return [];
  return [{ text: `${sum(rates).toFixed(1).padStart(6)}/s ${say(first)} `, tone }];
}

function shareLines(rates: readonly Rate[]): readonly Line[] {
  const all = sum(rates);
  const sorted = [...rates].sort((a, b) => (a.answeredBy < b.answeredBy ? -1 : 1));
  return sorted.map(({ answeredBy, perSecond }) => {
    const share = perSecond / all;
    const filled = Math.round(share * BAR_WIDTH);
    return [
      { text: `     ${answeredBy.padEnd(14)} ` },
      { text: "█".repeat(filled), tone: "green" },
      { text: "░".repeat(BAR_WIDTH - filled), tone: "dim" },
      { text: ` ${String(Math.round(share * 100)).padStart(3)} %  ${perSecond.toFixed(1)}/s` },
    ];
  });
}

/** One line for each expectation where there is room, else one that sums up. */
function verdictLines({ progress }: DemoView, room: number): readonly Line[] {
  if (progress === undefined) return [];
  const { verdicts, state } = progress;
  const isOver = state === "met" || state === "unmet";
  if (verdicts.length < room) return [[], ...verdicts.map((verdict) => verdictLine(verdict, isOver))];
  const met = verdicts.filter((verdict) => verdict.state === "met").length;
  const miss = verdicts.find((verdict) => verdict.state === "unmet");
  if (state === "unmet" && miss !== undefined) return [[], verdictLine(miss, isOver)];
  const tone = state === "met" ? "green" : "yellow";
  return [[], [{ text: ` ${state === "met" ? "✓" : "…"} ${met} of ${verdicts.length} as expected`, tone }]];
}

/** What is not as expected yet is no failure while the step is still being watched. */
function verdictLine({ state, expected, observed }: Verdict, isOver: boolean): Line {
  if (state === "met")
    return [{ text: " ✓ ", tone: "green" }, { text: expected }, { text: `: ${observed}`, tone: "dim" }];
  if (state === "open" || !isOver)
    return [
      { text: " … ", tone: "yellow" },
      { text: state === "open" ? expected : `${expected}: so far ${observed}`, tone: "dim" },
    ];
  return [{ text: ` ✗ expected ${expected}: observed ${observed}`, tone: "red" }];
}

function pushLines({ lines, firstAnswer }: DemoView, columns: number, room: number): readonly Line[] {
  const first = firstAnswer === undefined ? "" : `first mTLS answer after ${firstAnswer.toFixed(1)} s`;
  const text = lines.at(-1) ?? first;
  const count = Math.min(Math.max(room, 1), PUSH_ROWS_MAX);
  const width = Math.max(columns - 2, 1);
  const whole = wrap(text, width);
  const rows = whole.length <= count ? whole : wrap(withoutMiddle(text, width * count), width).slice(0, count);
  return rows.map((row) => [{ text: ` ${row}`, tone: "dim" }]);
}

/** What changed stands at the start, how long it took at the end; in between are names. */
function withoutMiddle(text: string, length: number): string {
  // Rows end between words, so that not all of their length is used.
  const half = Math.max(Math.floor(length * 0.42), 1);
  return `${text.slice(0, half).replace(/ \S*$/, "")} … ${text.slice(-half).replace(/^\S* /, "")}`;
}

function keys({ step, progress }: DemoView): Line {
  const isOver = progress?.state === "met" || progress?.state === "unmet";
  const next = step?.number === step?.of ? "end" : "next step";
  if (step === undefined || !isOver) return [{ text: " q quit", tone: "dim" }];
  return [
    { text: ` Enter ${next}`, tone: "bold" },
    { text: " · q quit", tone: "dim" },
  ];
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Clips to the width, then colours: the codes have no width. */
function paint(line: Line, columns: number, hasColor: boolean): string {
  let left = columns;
  let out = "";
  for (const { text, tone } of line) {
    const clipped = text.length <= left ? text : `${text.slice(0, Math.max(left - 1, 0))}${left > 0 ? "…" : ""}`;
    left -= clipped.length;
    out += hasColor && tone !== undefined && clipped !== "" ? `\x1b[${CODES[tone]}m${clipped}\x1b[0m` : clipped;
  }
  return out;
}

const sum = (rates: readonly Rate[]) => rates.reduce((total, { perSecond }) => total + perSecond, 0);
