import type { Clock } from "../../lib/mod.ts";

/** Connections of an address that may come to nothing before its next handshakes are held back. */
const FREE = 4;
/** More are not counted, so that an address that does no more wrong is as good as any other after one half-life. */
const COUNTED_MAX = 2 * FREE;
/** How long until a failure counts half. */
const HALF_LIFE_MS = 60_000;
/** Addresses whose failures are remembered; those that failed least recently are forgotten first. */
const ADDRESSES_MAX = 10_000;
/** What counts less is forgotten. */
const FORGOTTEN = 0.5;

export interface AddressRecordOptions {
  readonly clock: Clock;
  /** An address is held back for the first time since it was last in order; why its last connection came to nothing. */
  readonly onHeldBack: (address: string, cause: string) => void;
}

/**
 * What became of the connections of each address. Whoever is not known by an address, as on a Unix socket, has no record:
 * the empty address is never held back.
 */
export class AddressRecord {
  readonly #options: AddressRecordOptions;
  /** In the order of their last failures. */
  readonly #failures = new Map<string, Failures>();
  /** How many connections each address has whose clients have proven to speak xDS. */
  readonly #proven = new Map<string, number>();

  constructor(options: AddressRecordOptions) {
    this.#options = options;
  }

  /** Whether what comes from there has mostly been a waste of handshakes lately. */
  isHeldBack(address: string): boolean {
    const failures = this.#failures.get(address);
    return failures !== undefined && this.#countOf(failures) > FREE;
  }

  /** Whether a proxy that is served now is there as well. */
  hasProxy(address: string): boolean {
    return this.#proven.has(address);
  }

  /** A handshake with a client there was for nothing. */
  failed(address: string, cause: string): void {
    if (address === "") return;
    const before = this.#failures.get(address);
    const left = before === undefined ? 0 : this.#countOf(before);
    const count = Math.min(COUNTED_MAX, 1 + left);
    const isReported = left >= FORGOTTEN && before?.isReported === true;
    this.#failures.delete(address);
    this.#failures.set(address, {
      count,
      atMs: this.#options.clock.monotonic(),
      isReported: isReported || count > FREE,
    });
    this.#forgetOldest();
    if (!isReported && count > FREE) this.#options.onHeldBack(address, cause);
  }

  /** A client there speaks xDS: whatever was amiss at this address is mended. Its connection is followed by one `left`. */
  proven(address: string): void {
    if (address === "") return;
    this.#failures.delete(address);
    this.#proven.set(address, (this.#proven.get(address) ?? 0) + 1);
  }

  /** A connection whose client was `proven` is gone. */
  left(address: string): void {
    const count = this.#proven.get(address) ?? 0;
    if (count > 1) this.#proven.set(address, count - 1);
    else this.#proven.delete(address);
  }

  /** Addresses that are held back now. */
  heldBack(): number {
    let count = 0;
    for (const failures of this.#failures.values()) if (this.#countOf(failures) > FREE) count++;
    return count;
  }

  /** Addresses of which anything is remembered. */
  get size(): number {
    return this.#failures.size + this.#proven.size;
  }

  #countOf({ count, atMs }: Failures): number {
    return count * 2 ** ((atMs - this.#options.clock.monotonic()) / HALF_LIFE_MS);
  }

  /** Two for each that is added: what is worth nothing any more goes, however many came at once. */
  #forgetOldest(): void {
    let left = 2;
    for (const [address, failures] of this.#failures) {
      const isWorthless = this.#countOf(failures) < FORGOTTEN;
      if (left-- === 0 || !(isWorthless || this.#failures.size > ADDRESSES_MAX)) return;
      this.#failures.delete(address);
    }
  }
}

interface Failures {
  readonly count: number;
  readonly atMs: number;
  /** `onHeldBack` was called for it. */
  readonly isReported: boolean;
}
