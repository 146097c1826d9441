import process from "node:process";
import { type ChangeStep, type Effect, rotationSign, type Sign } from "./action-changes.ts";
import type { OperationStep, PlannedPhase } from "./action-plan.ts";
import type { PreparedChange } from "./feed.ts";
import type { Opened, Seen } from "./fleet-api.ts";
import { nothingTaken, reportPhase, type Taken } from "./report-phase.ts";
import type { PhaseReport } from "./report-result.ts";
import { observe, type PhaseContext, pause, quiet } from "./run-context.ts";

/** A change is written this long before it is put in place, at least: see {@link FolderFeed.prepare}. */
const REST_MS = 6;
/** And as many at most before the first of them is due. */
const AHEAD_MS = 60;
const AHEAD_MAX = 64;

/** A new process has neither resources nor a TLS session. */
const AS_NEW = { forget: true, withoutResumption: true } as const;

/** Opens the streams of all proxies of a run. */
export async function runColdStart(context: PhaseContext, perSecond: number | undefined): Promise<PhaseReport> {
  const { fleet, proxies, patienceMs } = context;
  const before = await observe(context);
  const rate = perSecond === undefined ? {} : { perSecond };
  const opened = await fleet.connect({ ids: proxies.connected(), timeoutMs: patienceMs * 4, ...rate });
  const taken: Taken = { ...nothingTaken(), opened: [opened] };
  return reportPhase("cold start", context.startedMs, { before, after: await observe(context), taken });
}

/** Makes the changes of a phase at their times, and waits until all that they lead to has arrived or is late. */
export async function runPhase(phase: PlannedPhase, context: PhaseContext): Promise<PhaseReport> {
  const before = await observe(context);
  const runner = new PhaseRunner(phase, context);
  const taken = await runner.run();
  await quiet(context);
  return reportPhase(phase.name, context.startedMs, { before, after: await observe(context), taken });
}

interface PreparedStep {
  readonly step: ChangeStep;
  readonly effect: Effect;
  readonly prepared: PreparedChange;
  readonly preparedMs: number;
  readonly watched: Watched;
}

/** Changes that proxies look out for. */
interface Watched {
  readonly changeIds: readonly number[];
  /** All of them do. */
  readonly told: Promise<unknown>;
}

interface SeenChange {
  readonly madeNs: bigint;
  seen: readonly Seen[];
}

class PhaseRunner {
  readonly #phase: PlannedPhase;
  readonly #context: PhaseContext;
  /** What goes on beside the changes, by their order. */
  readonly #pending: Promise<void>[] = [];
  /** By replica: the last of what is done to it, one after the other. */
  readonly #operations = new Map<number, Promise<void>>();
  readonly #opened: Opened[] = [];
  readonly #seen: SeenChange[] = [];
  /** Changes that ended a trouble. */
  readonly #recovered: SeenChange[] = [];
  #startMs = 0;
  #changes = 0;
  #lateMs = 0;
  #needed = 0;
  #isCounted = true;
  #downMs: number | undefined;
  #drainMs: number | undefined;

  constructor(phase: PlannedPhase, context: PhaseContext) {
    this.#phase = phase;
    this.#context = context;
  }

  async run(): Promise<Taken> {
    const { clock, signal } = this.#context;
    const { steps, lengthMs } = this.#phase;
    this.#startMs = clock.monotonic() + AHEAD_MS;
    const ahead: PreparedStep[] = [];
    let next = 0;
    while ((next < steps.length || ahead.length > 0) && !signal.aborted) {
      const dueMs = ahead[0]?.step.atMs ?? steps[next]?.atMs ?? 0;
      for (let step = steps[next]; ahead.length < AHEAD_MAX; step = steps[next]) {
        if (step?.kind !== "change" || step.atMs > dueMs + AHEAD_MS) break;
        // What can be put in place now does not wait for others to be written.
        const [first] = ahead;
        if (first !== undefined && clock.monotonic() >= this.#ripeMs(first)) break;
        if (ahead.length === 0) await this.#until(step.atMs - AHEAD_MS);
        ahead.push(this.#prepare(step));
        next += 1;
      }
      const first = ahead.shift();
      if (first !== undefined) await this.#commit(first);
      else await this.#operate(steps[next++] as OperationStep);
    }
    await this.#until(lengthMs);
    await Promise.all(this.#pending);
    return {
      opened: this.#opened,
      seen: this.#seen,
      recovered: this.#recovered,
      changes: this.#changes,
      lateMs: this.#lateMs,
      needed: this.#isCounted && this.#changes > 0 ? this.#needed : undefined,
      downMs: this.#downMs,
      drainMs: this.#drainMs,
    };
  }

  async #until(atMs: number): Promise<void> {
    const { clock, signal } = this.#context;
    await pause(clock, this.#startMs + atMs - clock.monotonic(), signal);
  }

  /** When a prepared change may be put in place. */
  #ripeMs({ step, preparedMs }: PreparedStep): number {
    return Math.max(this.#startMs + step.atMs, preparedMs + REST_MS);
  }

  #prepare(step: ChangeStep): PreparedStep {
    const { world, feed, clock } = this.#context;
    if (feed === undefined) throw new Error(`${step.action}: there is no folder to change`);
    const effect = step.apply(world);
    const prepared = feed.prepare(world, effect.files, effect.trouble);
    const preparedMs = clock.monotonic();
    return { step, effect, prepared, preparedMs, watched: this.#watch(effect.signs, effect) };
  }

  /** Tells the proxies what to look out for. */
  #watch(signs: readonly Sign[], effect?: Effect): Watched {
    const { fleet, proxies, nextChangeId } = this.#context;
    const without = new Set([...(effect?.restarted ?? []), ...(effect?.started ?? []), ...(effect?.ended ?? [])]);
    const changeIds: number[] = [];
    const told: Promise<void>[] = [];
    for (const { services, ...sign } of signs) {
      const all = proxies.healthyOf(services);
      const ids = without.size === 0 ? all : all.filter((id) => !without.has(id));
      if (ids.length === 0) continue;
      const changeId = nextChangeId();
      changeIds.push(changeId);
      this.#needed += ids.length;
      told.push(fleet.watch({ changeId, ...sign, ...(ids.length === proxies.size ? {} : { proxies: ids }) }));
    }
    const all = Promise.all(told);
    // Awaited before the change is made; what it fails with is told then.
    all.catch(() => {});
    return { changeIds, told: all };
  }

  async #commit(ripe: PreparedStep): Promise<void> {
    const { step, effect, prepared, watched } = ripe;
    const { clock, fleet, proxies, patienceMs, signal } = this.#context;
    await this.#until(this.#ripeMs(ripe) - this.#startMs);
    await watched.told;
    this.#lateMs = Math.max(this.#lateMs, clock.monotonic() - this.#startMs - step.atMs);
    const isFlood = effect.trouble?.kind === "flood";
    const madeNs = isFlood ? this.#context.heldUp(() => prepared.commit()) : prepared.commit();
    if (effect.files.length > 0) this.#changes += 1;
    if (!effect.isComplete || !proxies.isAllHealthy) this.#isCounted = false;
    if (watched.changeIds.length > 0) {
      this.#beside(this.#collect(madeNs, watched, effect.isRecovery === true ? this.#recovered : this.#seen));
    }
    const timeoutMs = patienceMs;
    if (effect.restarted !== undefined) {
      this.#open(this.#replace(proxies.only(effect.restarted)));
    }
    if (effect.started !== undefined) {
      proxies.add(effect.started);
      this.#open(fleet.connect({ ids: proxies.only(effect.started), timeoutMs }));
    }
    if (effect.ended !== undefined) {
      const ids = proxies.only(effect.ended);
      proxies.remove(effect.ended);
      this.#beside(fleet.disconnect(ids));
    }
    if (this.#changes % 10 === 0 && !signal.aborted) {
      this.#context.progress(`${this.#phase.name}: ${this.#changes} of ${this.#phase.steps.length} changes`);
    }
  }

  async #collect(madeNs: bigint, { changeIds }: Watched, into: SeenChange[]): Promise<void> {
    const { fleet, patienceMs } = this.#context;
    const entry: SeenChange = { madeNs, seen: [] };
    into.push(entry);
    entry.seen = await Promise.all(changeIds.map((changeId) => fleet.collect(changeId, patienceMs)));
  }

  #open(opened: Promise<Opened>): void {
    this.#beside(
      opened.then((each) => {
        this.#opened.push(each);
      }),
    );
  }

  /** Other proxies take the place of these, and are well. */
  async #replace(ids: readonly number[]): Promise<Opened> {
    const { fleet, proxies, patienceMs } = this.#context;
    const sick = ids.filter((id) => proxies.isSick(id));
    if (sick.length > 0) {
      // Told that they are well, sick ones that are connected would open a stream for their old self first.
      await fleet.disconnect(sick);
      await fleet.setBehaviour(sick, { kind: "normal" });
    }
    const opened = await fleet.reopen({ ids, ...AS_NEW, timeoutMs: patienceMs });
    proxies.setHealth(sick, true);
    return opened;
  }

  /** Goes on beside the changes; what it fails with is told when they are made. */
  #beside(work: Promise<void>): void {
    work.catch(() => {});
    this.#pending.push(work);
  }

  /** Beside the changes, when what was done to the replica before is over. */
  #toReplica(replica: number, work: () => Promise<void>): void {
    const done = (this.#operations.get(replica) ?? Promise.resolve()).then(work);
    this.#operations.set(replica, done);
    this.#beside(done);
  }

  async #restart(replica: number, timeoutMs: number): Promise<void> {
    const { fleet, proxies, replicas, restart } = this.#context;
    if (replicas > 1) {
      await this.#withoutReplica(replica, timeoutMs, async () => {
        this.#downMs = await restart(replica);
      });
      return;
    }
    this.#downMs = await restart(replica);
    this.#opened.push(await fleet.warm({ ids: proxies.healthy(), timeoutMs }));
  }

  /** Ends a replica, and waits until its proxies have all again from others. */
  async #withoutReplica(replica: number, timeoutMs: number, end: () => Promise<void>): Promise<void> {
    const { fleet, proxies } = this.#context;
    const left = ((await fleet.places())[replica] ?? []).filter((id) => !proxies.isSick(id));
    const again = left.length === 0 ? undefined : fleet.warm({ ids: left, timeoutMs, again: true });
    // Awaited when the replica has ended; if that fails, it ends with the fleet, and nobody needs to hear of it.
    again?.catch(() => {});
    // Answers come in order: whoever waits does so by now.
    await fleet.places();
    await end();
    if (again !== undefined) this.#opened.push(await again);
  }

  async #operate({ action, atMs }: OperationStep): Promise<void> {
    const { fleet, proxies, patienceMs, progress } = this.#context;
    await this.#until(atMs);
    const { name } = this.#phase;
    progress(name === action.kind ? name : `${name}: ${action.kind}`);
    const timeoutMs = patienceMs * 4;
    switch (action.kind) {
      case "rest":
        break;
      case "rotate-certificates": {
        const watched = this.#watch([rotationSign(this.#context.world)]);
        await watched.told;
        this.#changes += 1;
        const madeNs = process.hrtime.bigint();
        this.#beside(this.#collect(madeNs, watched, this.#seen));
        this.#beside(this.#context.rotate());
        break;
      }
      case "restart":
        this.#toReplica(action.replica, () => this.#restart(action.replica, timeoutMs));
        break;
      case "drain":
        this.#toReplica(action.replica, () =>
          this.#withoutReplica(action.replica, timeoutMs, async () => {
            this.#drainMs = await this.#context.drain(action.replica);
          }),
        );
        break;
      case "reconnect": {
        const rate = action.perSecond === undefined ? {} : { perSecond: action.perSecond };
        const { withoutFin } = action;
        const ids = proxies.draw(action.share);
        const memory = action.forget ? AS_NEW : {};
        this.#opened.push(await fleet.reopen({ ids, ...memory, withoutFin, timeoutMs, ...rate }));
        break;
      }
      case "behave": {
        const isWell = action.behaviour.kind === "normal";
        const ids = proxies.draw(action.share, isWell ? "ill" : "well");
        await fleet.setBehaviour(ids, action.behaviour);
        proxies.setHealth(ids, isWell);
        break;
      }
    }
  }
}
