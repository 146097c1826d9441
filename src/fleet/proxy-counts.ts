import { printable } from "../lib/mod.ts";
import { TYPE_URLS } from "./envoy-types.ts";
import type { FleetCounts, TypeCounts } from "./fleet-api.ts";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function noTypeCounts(): Writable<TypeCounts> {
  return { responses: 0, resources: 0, repeated: 0, removed: 0, bytes: 0 };
}

/** What all proxies of a process count together. Fields are written where it happens: this is once for each delivery. */
export class ProxyCounts {
  readonly types: readonly Writable<TypeCounts>[] = [...TYPE_URLS.map(noTypeCounts), noTypeCounts()];
  acks = 0;
  nacks = 0;
  requiredEndpoints = 0;
  unrequested = 0;
  removedUnknown = 0;
  routesBeforeClusters = 0;
  listenersBeforeClusters = 0;
  warmingTimeouts = 0;
  handshakes = 0;
  resumed = 0;
  streams = 0;
  open = 0;
  warm = 0;
  readonly #errors = new Map<string, number>();
  readonly #examples = new Map<string, string>();

  ofType(type: number | undefined): Writable<TypeCounts> {
    return this.types[type ?? TYPE_URLS.length] as Writable<TypeCounts>;
  }

  /** Kinds may hold numbers that a server chose, and messages its words: both end on somebody's terminal. */
  error(kind: string, message: string): void {
    const readable = printable(kind.slice(0, KIND_CHARACTERS_MAX));
    const bounded = this.#errors.has(readable) || this.#errors.size < ERROR_KINDS_MAX ? readable : "other";
    this.#errors.set(bounded, (this.#errors.get(bounded) ?? 0) + 1);
    if (!this.#examples.has(bounded)) {
      this.#examples.set(bounded, printable(message.slice(0, EXAMPLE_CHARACTERS_MAX).trim()));
    }
  }

  snapshot(): FleetCounts {
    const sum = noTypeCounts();
    for (const each of this.types) for (const key of TYPE_KEYS) sum[key] += each[key];
    const { acks, nacks, requiredEndpoints, unrequested, removedUnknown, routesBeforeClusters } = this;
    const { listenersBeforeClusters, warmingTimeouts, handshakes, resumed, streams, open, warm } = this;
    return {
      ...sum,
      ...{ acks, nacks, requiredEndpoints, unrequested, removedUnknown, routesBeforeClusters },
      ...{ listenersBeforeClusters, warmingTimeouts, handshakes, resumed, streams, open, warm },
      errors: Object.fromEntries(this.#errors),
      errorExamples: Object.fromEntries(this.#examples),
      types: Object.fromEntries(TYPE_URLS.map((url, type) => [url, { ...this.ofType(type) }])),
    };
  }
}

const ERROR_KINDS_MAX = 64;
const KIND_CHARACTERS_MAX = 64;
const EXAMPLE_CHARACTERS_MAX = 300;
const TYPE_KEYS = ["responses", "resources", "repeated", "removed", "bytes"] as const;

/** Counts of several processes as those of one fleet. */
export function addCounts(parts: readonly FleetCounts[]): FleetCounts {
  const sum = new ProxyCounts().snapshot() as unknown as Writable<FleetCounts>;
  for (const part of parts) {
    for (const [key, value] of Object.entries(part)) {
      if (typeof value === "number") (sum as unknown as Record<string, number>)[key] = numberAt(sum, key) + value;
    }
    sum.errors = addNumbers(sum.errors, part.errors);
    sum.errorExamples = { ...part.errorExamples, ...sum.errorExamples };
    sum.types = Object.fromEntries(
      Object.entries(sum.types).map(([url, counts]) => [url, addNumbers({ ...counts }, { ...part.types[url] })]),
    ) as unknown as FleetCounts["types"];
  }
  return sum;
}

function numberAt(counts: object, key: string): number {
  return (counts as Record<string, number>)[key] ?? 0;
}

function addNumbers(
  left: Readonly<Record<string, number>>,
  right: Readonly<Record<string, number>>,
): Record<string, number> {
  const sum: Record<string, number> = { ...left };
  for (const [key, value] of Object.entries(right)) sum[key] = (sum[key] ?? 0) + value;
  return sum;
}
