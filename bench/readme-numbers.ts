/** The numbers of the README's tables: of each measurement the latest run that has it. Pure. */
import type { Measurement, Unit } from "./measurement.ts";
import { LOOP_DELAYS, loopDelayLine } from "./readme-loop-delays.ts";
import type { SavedRun } from "./saved-runs.ts";
import type { RuntimeName } from "./server-program.ts";

/** Heading of the column with what a table's first column of numbers says, of a control plane on Deno. */
const DENO = "on Deno";
/** Where no run has it: not all that is measured is measured on Deno. */
const NONE = "–";

/**
 * Cells after the label. `{...}` is a figure: the name of a measurement, and of its samples `p50` unless another is named
 * behind a bar.
 */
type Cells = readonly string[];

/** Meshes in which both servers are compared, by columns. */
const PEERS = ["W2", "W3", "X5"].map((shape) => `versus/go-control-plane/${shape}: `);
const ONE = "fleet/endpoint-change: one at a time, ";
const ONE_X5 = "fleet/endpoint-change/X5: ";
const ONE_S5 = "fleet/endpoint-change/S5: one at a time, ";

/** Both sides of a comparison and their ratio, for each mesh. */
const pair = (what: string): Cells =>
  PEERS.map((peer) => `{${peer}${what}, ours} / {${peer}${what}, theirs} = **{${peer}${what}, ratio}**`);

/** A ratio and the interval in which it lies with 95 % certainty. */
const sure = (ratio: string): string => `{${ratio}} [{${ratio}, at least}, {${ratio}, at most}]`;
/** Nowhere but in the middle column: one mesh is compared like this. */
const ONE_TABLE = "versus/go-control-plane/W3, one table: route weight to a proxy, p99, ";
const PEER_S5 = "versus/go-control-plane/S5: endpoint change";
const STEADY = "versus/go-control-plane/W1: 20 changes a second to a proxy, p99";
const IDENTITIES = "fleet/certificates/5,000 identities: rotate-certificates, ";
const CROWD = "fleet/endpoint-churn/15,000 proxies: ";
const ENVOY = "envoy-memory/";
const SMALL = "process/bookstore, ";
const ELSEWHERE = "p99, besieged to another server besieged";
const SIEGE = "hostile: change to an honest proxy, ";

/** Rows by how their label begins. */
const ROWS: Readonly<Record<string, Cells>> = {
  "one endpoint changes: to each proxy, p50": pair("endpoint change to a proxy, p50"),
  "the same, p99": pair("endpoint change to a proxy, p99"),
  "server CPU for it, per proxy, acknowledgement included": pair("endpoint change, CPU per proxy"),
  "one split weight: to each proxy, p99": pair("route weight to a proxy, p99"),
  "the same, where go-control-plane has the routes of all services in one table": [
    NONE,
    `{${ONE_TABLE}ours} / {${ONE_TABLE}theirs} = **{${ONE_TABLE}ratio}**`,
    NONE,
  ],
  "server CPU for the weight, per proxy": pair("route weight, CPU per proxy"),
  "all connect at once: until all are warm": pair("cold start: all warm"),
  "server CPU for the cold start, per proxy": pair("cold start: CPU per proxy"),
  "all reconnect with what they have: until all are answered": pair("reconnect with versions: all warm"),
  "server CPU for that, per proxy": pair("reconnect with versions: CPU per proxy"),
  "bytes for that, per proxy (0 resources)": pair("reconnect with versions: bytes per proxy"),
  "memory added, per proxy": pair("memory per proxy, added"),
  "memory of the whole process, per proxy": pair("memory per proxy, everything in"),
  "one endpoint, to each of 500 (W2), p50 / p99": [`{${ONE}to each proxy} / {${ONE}to each proxy|p99}`],
  "the same to 5,000 (X5)": [`{${ONE_X5}one at a time, to each proxy} / {${ONE_X5}one at a time, to each proxy|p99}`],
  "server CPU per delivery and acknowledgement, everything included, W2 / X5": [
    `{${ONE}server CPU per delivery} / {${ONE_X5}one at a time, server CPU per delivery}`,
  ],
  "one endpoint that 50 of 5,000 see (S5)": [`{${ONE_S5}to the last proxy} / {${ONE_S5}to the last proxy|p99}`],
  "the same (S5) beside go-control-plane": [
    [" to the last proxy", " to the last proxy, p99", ", CPU per proxy"]
      .map((what) => `{${PEER_S5}${what}, ours} / {${PEER_S5}${what}, theirs} = {${PEER_S5}${what}, ratio}`)
      .join("; "),
  ],
  "one endpoint: bytes for each proxy; resources sent to resources needed (W2)": [
    `{${ONE}bytes per delivery}; {${ONE}deliveries per needed one}`,
  ],
  "20 changes a second that all 200 see (W1)": ["{fleet/staleness: endpoint-churn, to each proxy|p99}"],
  "the same (W1) beside go-control-plane": [`{${STEADY}, ours} / {${STEADY}, theirs} = {${STEADY}, ratio}`],
  "an access policy edited, 1,000 proxies (W3)": [
    "{fleet/policy-edit: access, to the last proxy|p99}; {fleet/policy-edit: access, deliveries per needed one}",
  ],
  "a split weight edited, 1,000 proxies that see it (W3)": [
    "{fleet/policy-edit: split, to each proxy|p99}; {fleet/policy-edit: split, to the last proxy|p99}; {fleet/policy-edit: split, bytes per delivery}",
  ],
  "cold start of 5,000 (X5): all warm; CPU per proxy": [
    `{${ONE_X5}cold start, until a proxy is warm|max}; {${ONE_X5}cold start, server CPU per proxy}`,
  ],
  "event loop of the server in it, delay p99.9": [`{${ONE_X5}cold start, server loop delay, p99.9}`],
  "memory per proxy, everything in, 5,000 (X5)": [`{${ONE_X5}one at a time, server memory per proxy}`],
  "control plane killed and started under 5,000": ["{fleet/restart: restart, until a proxy is warm|max}; 0"],
  "all certificates replaced, 5,000 proxies of 100 service accounts (X5)": [
    "{fleet/certificates: rotate-certificates, to the last proxy|max}; {fleet/certificates: rotate-certificates, server CPU per delivery}",
  ],
  "the same, 5,000 service accounts": [`{${IDENTITIES}to the last proxy|max}; {${IDENTITIES}server CPU per delivery}`],
  "a certificate made": ["{micro/sign/P-256 leaf}"],
  "ten minutes of churn, reconnects and rotations": ["{leaks: heap growth per second, objects and buffers}"],
  "permissive mode and back, 5,000 proxies that see the same 50 services in both (scopes)": [
    "{fleet/flip: flip, to the last proxy} / {fleet/flip: flip, to the last proxy|max}",
  ],
  "the same where 50 of 100 services come and go": [
    "{fleet/flip-wide: flip, to the last proxy} / {fleet/flip-wide: flip, to the last proxy|max}",
  ],
  "15,000 proxies": [[10, 50, 100].map((rate) => `{${CROWD}${rate} per second, to each proxy|p99}`).join(" / ")],
  "a tenth of 5,000 proxies reads slowly or never": [
    ["S5", "X5"].map((shape) => sure(`slow-readers/${shape}: p99, ill to well`)).join("; "),
  ],
  "10,000 hostile sessions": [`{${SIEGE}besieged} / {${SIEGE}besieged|p99}; {${SIEGE}before} / {${SIEGE}before|p99}`],
  "20, 50 and 100 hostile sessions a second": [
    [20, 50, 100].map((rate) => sure(`hostile/${rate} a second: ${ELSEWHERE}`)).join("; "),
  ],
  "100 hostile sessions a second, each from an address of its own": [
    sure(`hostile/100 a second, each from elsewhere: ${ELSEWHERE}`),
  ],
  "an event that concerns nobody": [
    "{fleet/noise: states, server CPU per event}; {fleet/noise: touched files, server CPU per event}",
  ],
  "a real Envoy in a permissive mesh of 1,000 services": [
    `{${ENVOY}all 1,000 services: resident memory of Envoy}; {${ENVOY}a scope of 50: resident memory of Envoy}`,
  ],
  "`osm serve --no-pods` on the bookstore": [
    `{${SMALL}1 workers: start to xDS ready}; {${SMALL}1 workers: resident memory with all proxies}; {${SMALL}0 workers: resident memory with all proxies}`,
  ],
};

/** How the line begins that says which commits the numbers are of. */
const COMMITS = "Measured at commit ";

/** The README with the numbers of these runs and the lines that are made of all of them, its rows that have numbers, and what is missing. */
export function withNumbers(
  readme: string,
  runs: readonly SavedRun[],
): { readonly text: string; readonly rows: readonly string[]; readonly problems: readonly string[] } {
  const latest = { node: latestMeasurements(runs, "node"), deno: latestMeasurements(runs, "deno") };
  const problems: string[] = [];
  const rows: string[] = [];
  const unseen = new Set(Object.keys(ROWS));
  const used: UsedRun[] = [];
  const filled = (label: string, cell: string, runtime: RuntimeName) =>
    cell.replaceAll(/\{([^}]*)\}/g, (_, named: string) => {
      const [name = "", key = "p50"] = named.split("|");
      const found = latest[runtime].get(name);
      if (found !== undefined) {
        used.push({ label, run: found.run });
        return shown(found.samples[key as "p50" | "p99" | "max"], found.unit);
      }
      if (runtime === "node") problems.push(`no run in perf-results has "${name}"`);
      return "?";
    });
  let headings: readonly string[] = [];
  const lines = readme.split("\n").map((line, n, all) => {
    if (all[n + 1]?.startsWith("| --- ")) headings = line.split(" | ");
    const label = Object.keys(ROWS).find((each) => line.startsWith(`| ${each}`));
    if (label === undefined) return line;
    unseen.delete(label);
    const cells = line.split(" | ");
    const own = ROWS[label] ?? [];
    for (const [place, cell] of own.entries()) cells[place + 1] = filled(label, cell, "node");
    const deno = headings.indexOf(DENO);
    if (deno > 0) {
      const usedBefore = used.length;
      const cell = filled(label, own[0] ?? "", "deno");
      cells[deno] = cell.includes("?") ? NONE : cell;
      // What is not shown was not used.
      if (cells[deno] === NONE) used.length = usedBefore;
    }
    rows.push(cells.join(" | "));
    return cells.join(" | ");
  });
  for (const label of unseen) problems.push(`the README has no row "${label}"`);
  const commits = lines.findIndex((line) => line.startsWith(COMMITS));
  if (commits < 0) problems.push(`the README has no line "${COMMITS}..."`);
  else lines[commits] = commitsOf(used);
  const delays = lines.findIndex((line) => line.startsWith(LOOP_DELAYS));
  if (delays < 0) problems.push(`the README has no line "${LOOP_DELAYS}..."`);
  else lines[delays] = loopDelayLine(runs);
  return { text: lines.join("\n"), rows, problems };
}

/** A run that a row has a number of. */
interface UsedRun {
  readonly label: string;
  readonly run: SavedRun;
}

/** Of which commit most rows have their numbers, the newest of them, and which rows have a number of another one. */
function commitsOf(used: readonly UsedRun[]): string {
  const at = ({ run }: UsedRun) => `${run.commit.slice(0, 7)}${run.isDirty ? " with changes" : ""}`;
  const rows = new Map<string, Set<string>>();
  for (const each of used.toSorted((left, right) => right.run.date.localeCompare(left.run.date))) {
    rows.set(at(each), (rows.get(at(each)) ?? new Set()).add(each.label));
  }
  const [[most = "?"] = []] = [...rows].sort(([, left], [, right]) => right.size - left.size);
  const others = used.filter((each) => at(each) !== most).map((each) => `${each.label} (${at(each)})`);
  const exceptions = others.length === 0 ? "" : `, but for these rows: ${[...new Set(others)].join("; ")}`;
  return `${COMMITS}${most}${exceptions}.`;
}

function latestMeasurements(
  runs: readonly SavedRun[],
  runtime: RuntimeName,
): ReadonlyMap<string, Measurement & { readonly run: SavedRun }> {
  const own = runs.filter((run) => run.runtime.name === runtime);
  return new Map(
    own.flatMap((run) =>
      // The client's limit is told in the table's words.
      run.measurements.map((each) => [each.name.replace(" (bound by the client)", ""), { ...each, run }] as const),
    ),
  );
}

/** Two or three significant digits, in the unit that reads best. */
function shown(value: number, unit: Unit): string {
  switch (unit) {
    case "ms":
      if (Math.abs(value) < 0.1) return shown(value * 1000, "µs");
      if (value >= 1000) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
      return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
    case "µs":
      return value < 1000 ? `${value.toFixed(0)} µs` : `${(value / 1000).toFixed(1)} ms`;
    case "MiB":
      return `${value.toFixed(value < 10 ? 2 : 0)} MiB`;
    case "bytes":
      return value >= 10_000 ? `${(value / 1000).toFixed(1)} kB` : `${value.toFixed(0)} B`;
    case "ratio":
      return value.toFixed(2);
    default:
      return String(value);
  }
}
