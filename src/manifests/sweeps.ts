import type { Clock } from "../lib/mod.ts";
import type { FolderScan } from "./folder-scan.ts";

/** Pause between listings of a folder whose changes are not all told of, and of one whose are. */
export const SWEEP_MIN_MS = 2000;
export const SWEEP_MAX_MS = 30_000;
/** No more than this part of the time is spent on listing. */
const SWEEP_SHARE = 20;

/** A listing that nobody waited for. */
export interface Swept {
  readonly scan: FolderScan;
  /** Whether a path was looked at after the listing began: then what the listing says of it may be older. */
  isLookedAt(path: string): boolean;
}

/**
 * Lists a folder from time to time, beside everything else, for what no event has told of: a full queue of the system, a
 * network file system, a link that leads out. The pause doubles while events tell everything.
 */
export class Sweeps {
  readonly #clock: Clock;
  readonly #scan: () => Promise<FolderScan>;
  readonly #onSwept: () => void;
  #pauseMs = SWEEP_MIN_MS;
  #lastTookMs = Number.POSITIVE_INFINITY;
  #isTrusted = true;
  #isStopped = false;
  #cancelTimer: () => void = () => {};
  #listing: Promise<void> | undefined;
  /** What was looked at since the listing that is under way, or not taken yet, began. */
  #lookedAt: Set<string> | undefined;
  #swept: Swept | undefined;

  constructor(clock: Clock, follow: { scan: () => Promise<FolderScan>; onSwept: () => void }) {
    this.#clock = clock;
    this.#scan = follow.scan;
    this.#onSwept = follow.onSwept;
  }

  /**
   * The next listing begins after a pause that suits what one costs. That is what the quicker of the last two took: one that a
   * flood of events has held up says nothing of its cost, and after a flood the next must come early.
   */
  pause(tookMs: number): void {
    const costMs = Math.min(tookMs, this.#lastTookMs);
    this.#lastTookMs = tookMs;
    this.#pauseMs = this.#isTrusted ? Math.min(SWEEP_MAX_MS, this.#pauseMs * 2) : SWEEP_MIN_MS;
    this.#isTrusted = true;
    this.#schedule(Math.max(this.#pauseMs, SWEEP_SHARE * costMs));
  }

  /** Something was not told of, or may not have been: the next listing comes early. */
  distrust(): void {
    this.#isTrusted = false;
    if (this.#pauseMs === SWEEP_MIN_MS) return;
    this.#pauseMs = SWEEP_MIN_MS;
    this.#schedule(SWEEP_MIN_MS);
  }

  noteLook(path: string): void {
    this.#lookedAt?.add(path);
  }

  /** The last listing, once. */
  take(): Swept | undefined {
    const swept = this.#swept;
    if (swept !== undefined) this.drop();
    return swept;
  }

  /** Forgets a listing: a newer one is made. */
  drop(): void {
    this.#swept = undefined;
    this.#lookedAt = undefined;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    await this.#listing;
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer();
    if (this.#isStopped) return;
    this.#cancelTimer = this.#clock.after(delayMs, () => {
      this.#listing ??= this.#list();
    });
  }

  async #list(): Promise<void> {
    const startMs = this.#clock.monotonic();
    const lookedAt = new Set<string>();
    this.#lookedAt = lookedAt;
    const scan = await this.#scan();
    this.#listing = undefined;
    // Dropped meanwhile: there is a newer one.
    if (this.#lookedAt === lookedAt) this.#swept = { scan, isLookedAt: (path) => lookedAt.has(path) };
    this.pause(this.#clock.monotonic() - startMs);
    this.#onSwept();
  }
}
