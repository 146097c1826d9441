import type { ProxyStatus } from "../admin/api.ts";
import type { CallCount, DemoApp, DemoStep, Expectation } from "../main/mod.ts";
import { CommandError } from "./command.ts";
import type { DemoSession } from "./demo-session.ts";
import { callsBetween } from "./demo-traffic.ts";
import { judge, type Verdict } from "./demo-verdict.ts";

/** How far a step has come. */
export interface StepProgress {
  readonly state: "acting" | "watching" | "met" | "unmet";
  /** One for each thing done, then one for each expectation, in order. */
  readonly verdicts: readonly Verdict[];
}

const FIRST_ANSWER_TIMEOUT_MS = 60_000;
/** Proxies acknowledge within milliseconds; a control plane that was killed is back within seconds. */
const ACT_TIMEOUT_MS = 30_000;
/** What a step says must be seen within this time; the first one waits for programs that start slowly. */
const WATCH_TIMEOUT_MS = 45_000;

/** Seconds until the buyer got its first answer over mutual TLS. Throws {@link CommandError} that says what is not ready. */
export async function awaitFirstAnswer(session: DemoSession): Promise<number> {
  let seconds: number | undefined;
  void session.firstAnswer.then((value) => {
    seconds = value;
  });
  const answered = await session.until(() => seconds, FIRST_ANSWER_TIMEOUT_MS);
  if (answered !== undefined) return answered;
  const unready = (await session.proxies().catch(() => [])).filter(({ isPodReady }) => !isPodReady);
  const reasons = unready.map((proxy) => `; ${nameOf(proxy)}: ${proxy.reason || "not ready"}`);
  throw new CommandError(`osm demo: no book was sold within ${FIRST_ANSWER_TIMEOUT_MS / 1000} s${reasons.join("")}`);
}

/**
 * Does what `step` says, then watches the traffic until every expectation is met. Expectations about the state after the
 * step are judged by calls made after all proxies have acknowledged it; those that say "no call fails" by all calls since
 * before it. `onProgress` hears every change.
 */
export async function runStep(
  step: DemoStep,
  session: DemoSession,
  onProgress: (progress: StepProgress) => void,
): Promise<StepProgress> {
  const apps = [...new Set(step.expects.map(({ from }) => from))];
  const before = countsOf(session, apps);
  const open = (expectations: readonly Expectation[]) => expectations.map((expectation) => judge(expectation, []));
  onProgress({ state: "acting", verdicts: open(step.expects) });
  const done = await act(step, session);
  onProgress({ state: "watching", verdicts: [...done, ...open(step.expects)] });
  await session.freshReports(apps);

  let after = countsOf(session, apps);
  const look = (): StepProgress => {
    const seen = step.expects.map((expectation) => {
      const since = (expectation.kind === "unbroken" ? before : after).get(expectation.from) ?? [];
      return judge(expectation, callsBetween(since, session.traffic.calls(expectation.from)));
    });
    const isHopeless = step.expects.some(({ kind }, index) => kind === "unbroken" && seen[index]?.state === "unmet");
    const verdicts = [...done, ...seen];
    if (isHopeless || done.some(({ state }) => state === "unmet")) return { state: "unmet", verdicts };
    return { state: seen.every(({ state }) => state === "met") ? "met" : "watching", verdicts };
  };
  const result = await session.until(() => {
    const progress = look();
    onProgress(progress);
    if (progress.state !== "watching") return progress;
    // The effect is not there yet, or was disturbed: it counts once it lasts.
    const missed = step.expects.filter((_, index) => progress.verdicts[done.length + index]?.state === "unmet");
    if (missed.length > 0)
      after = new Map([
        ...after,
        ...countsOf(
          session,
          missed.map(({ from }) => from),
        ),
      ]);
    return undefined;
  }, WATCH_TIMEOUT_MS);
  return result ?? { ...look(), state: "unmet" };
}

function countsOf(session: DemoSession, apps: readonly DemoApp[]): ReadonlyMap<DemoApp, readonly CallCount[]> {
  return new Map(apps.map((app) => [app, session.traffic.calls(app)]));
}

async function act(step: DemoStep, session: DemoSession): Promise<readonly Verdict[]> {
  if (step.puts.length > 0) return [await putFiles(step, session)];
  switch (step.action) {
    case "rotate-certificates":
      return await rotate(session);
    case "kill-control-plane":
      return await killControlPlane(session);
    default:
      return [];
  }
}

async function putFiles(step: DemoStep, session: DemoSession): Promise<Verdict> {
  const newest = Math.max(...(await session.proxies()).flatMap(typesOf).map(({ sent }) => sent));
  session.put(step);
  const acknowledged = await session.until(async () => {
    const types = (await session.proxies()).flatMap(typesOf);
    const isPushed = types.some(({ sent }) => sent > newest);
    return isPushed && types.every(({ sent, acknowledged: last }) => last === sent) ? true : undefined;
  }, ACT_TIMEOUT_MS);
  const refused = (await session.proxies()).filter((proxy) =>
    typesOf(proxy).some((type) => type.refused !== undefined),
  );
  const files = step.puts.map(({ to }) => to).join(", ");
  return {
    state: acknowledged === true && refused.length === 0 ? "met" : "unmet",
    expected: `${files}: pushed, and acknowledged by every proxy`,
    observed:
      refused.length > 0
        ? `refused by ${refused.map(nameOf).join(", ")}`
        : acknowledged === true
          ? "acknowledged"
          : `not acknowledged within ${ACT_TIMEOUT_MS / 1000} s`,
  };
}

async function rotate(session: DemoSession): Promise<readonly Verdict[]> {
  const before = await session.presentedSerial();
  const rotated = await session.rotate();
  const after = await session.presentedSerial();
  return [
    {
      state: rotated > 0 ? "met" : "unmet",
      expected: "every proxy that uses a certificate acknowledges its new one",
      observed: `${rotated} proxies did`,
    },
    {
      state: after !== before ? "met" : "unmet",
      expected: "bookstore-v1 shows its new certificate to new connections",
      observed: `serial number ${shorten(before)} before, ${shorten(after)} after`,
    },
  ];
}

async function killControlPlane(session: DemoSession): Promise<readonly Verdict[]> {
  const all = (await session.proxies()).length;
  const killedMs = Date.now();
  const wasKilled = session.killControlPlane();
  let back: readonly ProxyStatus[] = [];
  const isBack = await session.until(async () => {
    // Nobody answers until it is there again.
    const proxies = await session.proxies().catch(() => []);
    back = proxies.filter(({ isConnected, connectedAt }) => isConnected && Date.parse(connectedAt) > killedMs);
    return back.length === all && back.every(isUpToDate) ? true : undefined;
  }, ACT_TIMEOUT_MS);
  const seconds = ((Date.now() - killedMs) / 1000).toFixed(1);
  const sent = isBack === true ? await session.resourcesSent() : undefined;
  return [
    {
      state: wasKilled && isBack === true ? "met" : "unmet",
      expected: "the control plane comes back, and so does every proxy",
      observed: wasKilled
        ? `${back.length} of ${all} proxies connected again after ${seconds} s`
        : "there was no control plane to kill",
    },
    {
      state: sent === 0 ? "met" : "unmet",
      expected: "nobody is sent a cluster, endpoint, listener or route again",
      observed: sent === undefined ? "it is not back" : `${sent} were sent`,
    },
  ];
}

/** Has asked for what a proxy always asks for, was answered, and has acknowledged the answers. */
function isUpToDate({ types }: ProxyStatus): boolean {
  const isAnswered = types.cds !== undefined && types.lds !== undefined;
  return isAnswered && Object.values(types).every(({ sent, acknowledged }) => sent === acknowledged);
}

const typesOf = ({ types }: ProxyStatus) => Object.values(types);
const nameOf = ({ namespace, pod }: ProxyStatus) => `${namespace}/${pod}`;
const shorten = (serial: string) => `${serial.slice(0, 8)}...`;
