import type { Delays, PhaseReport, RunReport } from "./report-result.ts";

/** Changes that are made later than that were not made at the scenario's rate. */
const LATE_MS = 100;

/** A report as rows of a table, for people. */
export const REPORT_HEADERS: readonly string[] = [
  "phase",
  "changes",
  "deliveries",
  "needed",
  "generated",
  "p50",
  "p99",
  "max",
  "last p50",
  "last p99",
  "cpu/delivery",
  "client",
  "bytes/delivery",
  "rss/proxy",
  "loop p99.9",
  "",
];

export function reportRows({ phases, scenario }: RunReport): readonly (readonly string[])[] {
  return phases.map((phase) => rowOf(phase, scenario.proxies));
}

/** What is under the table: errors, and the oracle's opinion. */
export function reportNotes(report: RunReport): readonly string[] {
  const { oracle, errors, errorExamples, requiredEndpoints } = report;
  const notes: string[] = [];
  for (const phase of report.phases) {
    if (phase.lateMs > LATE_MS)
      notes.push(`${phase.name}: changes were made up to ${ms(phase.lateMs)} after their time`);
    if (phase.downMs !== undefined) notes.push(`${phase.name}: the control plane was back after ${ms(phase.downMs)}`);
    if (phase.drainMs !== undefined) notes.push(`${phase.name}: the replica had ended after ${ms(phase.drainMs)}`);
    if (phase.recovery !== undefined) notes.push(recoveryNote(phase.name, phase.recovery));
    notes.push(...comeBack(phase), ...balance(phase));
    if (phase.opened !== undefined && phase.opened.resumed > 0) {
      notes.push(`${phase.name}: ${phase.opened.resumed} of ${phase.opened.handshakes} TLS sessions were resumed`);
    }
  }
  for (const [kind, count] of Object.entries(errors))
    notes.push(`errors: ${count} ${kind} (${errorExamples[kind] ?? ""})`);
  if (requiredEndpoints > 0) {
    notes.push(`${requiredEndpoints} endpoint resources came again with their changed clusters, as Envoy needs them`);
  }
  const refused = oracle.refused === 0 ? "0 refused" : `${oracle.refused} refused on purpose`;
  if (oracle.isPassed && oracle.proxies === 0) {
    const why = oracle.isExpectationKnown
      ? "no proxy was well at the end, so that nobody's table was compared"
      : "what the server should serve is not known without the folder (--folder)";
    notes.push(
      `oracle: passed, and it is a weak one: ${why}. Everybody had all that it asked for; ${refused}, 0 sent again`,
    );
  } else if (oracle.isPassed) {
    const fresh = oracle.fresh === 0 ? "" : `, ${oracle.fresh} of them as after a cold start`;
    const have = oracle.proxies === 1 ? "1 proxy has what it" : `${oracle.proxies} proxies have what they`;
    notes.push(`oracle: passed; ${have} should${fresh}; ${refused}, 0 sent again`);
  } else {
    notes.push("oracle: FAILED; there are no numbers", ...oracle.differences.map((each) => `  ${each}`));
  }
  return notes;
}

function recoveryNote(name: string, { count, p50, max }: Delays): string {
  const times = count === 1 ? "a trouble" : `${count} troubles, each`;
  return `${name}: after ${times} the next change had reached its last proxy in ${ms(p50)} (p50), ${ms(max)} (longest)`;
}

/** What it cost that proxies lost their control plane. */
function comeBack(phase: PhaseReport): readonly string[] {
  const { name, opened, downMs, drainMs, resources, bytes, changes } = phase;
  if (opened?.toEach === undefined || (downMs === undefined && drainMs === undefined)) return [];
  const { p50, max, count } = opened.toEach;
  // Among changes nobody can say what was sent because of what.
  const cost = changes > 0 ? "" : `; ${resources} resources and ${number(bytes / count)} bytes a proxy were sent`;
  return [`${name}: ${count} proxies had all again after ${ms(p50)} (p50), ${ms(max)} (last)${cost}`];
}

/** How the proxies are spread: by how much the busiest replica has more than its share. */
function balance({ name, streams }: PhaseReport): readonly string[] {
  const all = streams.reduce((sum, each) => sum + each, 0);
  if (streams.length < 2 || all === 0) return [];
  const error = (Math.max(...streams) * streams.length) / all - 1;
  return [`${name}: ${streams.join(" + ")} streams on the replicas, balance error ${Math.round(error * 100)} %`];
}

function rowOf(phase: PhaseReport, proxies: number): readonly string[] {
  const each = phase.toEach ?? phase.opened?.toEach;
  const per = (total: number | undefined) =>
    total === undefined || phase.deliveries === 0 ? undefined : total / phase.deliveries;
  const cpu = per(phase.serverCpuSeconds);
  const bytes = per(phase.bytes);
  const span = (phase.endMs - phase.startMs) / 1000;
  return [
    phase.name,
    shown(phase.changes || undefined, String),
    String(phase.deliveries),
    shown(phase.needed, (needed) => neededText(needed, phase.resources)),
    shown(phase.generated, String),
    shown(each?.p50, ms),
    shown(each?.p99, ms),
    shown(each?.max, ms),
    shown(phase.toLast?.p50, ms),
    shown(phase.toLast?.p99, ms),
    cpu === undefined
      ? shown(phase.serverCpuSeconds, (value) => `${number(value)} s in all`)
      : `${number(cpu * 1e6)} us`,
    `${Math.round((100 * phase.clientCpuSeconds) / span)} %`,
    shown(bytes, (value) => number(value)),
    shown(phase.serverRssBytes, (value) => `${number(value / proxies / 2 ** 20)} MiB`),
    shown(phase.serverLoopDelayP999Ms, ms),
    phase.isBoundByClient ? "bound by the client" : "",
  ];
}

/** What had to be delivered, and how much of that was: several changes may come in one response, each resource counts. */
function neededText(needed: number, resources: number): string {
  return needed === 0 ? "0" : `${needed} (x${(resources / needed).toFixed(2)})`;
}

function shown<T>(value: T | undefined, text: (value: T) => string): string {
  return value === undefined ? "-" : text(value);
}

/** Three significant digits. */
function number(value: number): string {
  if (value >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

export function ms(value: number): string {
  return value >= 10_000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
}
