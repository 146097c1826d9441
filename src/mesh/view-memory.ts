import { keepIfSame, sameElements } from "./content-equality.ts";

interface Remembered {
  readonly inputs: readonly unknown[];
  readonly value: unknown;
}

/** Slots of one owner; a client whose rights differ has a slot of its own. Beyond this many they start over. */
const SLOTS_MAX = 256;

/**
 * What was made before, so that what says the same stays the same object. Forgetting costs work and never changes a
 * result. Lives as long as its store.
 */
export interface ViewMemory {
  /** The earlier value when `inputs` are the same objects, else a new one (or the earlier one, if equal). Dies with `owner`. */
  readonly remember: <T>(owner: object, slot: string, inputs: readonly unknown[], make: () => T) => T;
  /**
   * The same for an owner that is known by name only: a class key, an identity `<namespace>/<service account>`, a
   * namespace, or nobody (the empty name). Lives until `forget` is told that the owner is dead.
   */
  readonly rememberFor: <T>(
    owner: string,
    slot: string,
    inputs: readonly unknown[],
    make: (before?: T) => T,
    /** Chooses between the earlier value and the new one; without it what says the same stays. */
    keep?: (before: T | undefined, next: T) => T,
  ) => T;
  /** What is worked out from an immutable value alone, once. There is one index of each value. */
  readonly index: <T>(of: object, make: () => T) => T;
  readonly forget: (isAlive: (owner: string) => boolean) => void;
}

export function viewMemory(): ViewMemory {
  const slotsByOwner = new WeakMap<object, Map<string, Remembered>>();
  const slotsByName = new Map<string, Map<string, Remembered>>();
  const indexes = new WeakMap<object, unknown>();
  return {
    remember(owner, slot, inputs, make) {
      let slots = slotsByOwner.get(owner);
      if (slots === undefined) {
        slots = new Map();
        slotsByOwner.set(owner, slots);
      } else if (slots.size > SLOTS_MAX) slots.clear();
      return recall(slots, slot, inputs, make);
    },
    rememberFor(owner, slot, inputs, make, keep) {
      let slots = slotsByName.get(owner);
      if (slots === undefined) {
        slots = new Map();
        slotsByName.set(owner, slots);
      }
      return recall(slots, slot, inputs, make, keep);
    },
    index<T>(of: object, make: () => T): T {
      let value = indexes.get(of) as T | undefined;
      if (value === undefined) {
        value = make();
        indexes.set(of, value);
      }
      return value;
    },
    forget(isAlive) {
      for (const owner of slotsByName.keys()) if (owner !== "" && !isAlive(owner)) slotsByName.delete(owner);
    },
  };
}

function recall<T>(
  slots: Map<string, Remembered>,
  slot: string,
  inputs: readonly unknown[],
  make: (before?: T) => T,
  keep: (before: T | undefined, next: T) => T = keepIfSame,
): T {
  const known = slots.get(slot);
  // A slot is only ever filled and read by one call site, which fixes its type.
  const before = known?.value as T | undefined;
  if (known !== undefined && sameElements(known.inputs, inputs)) return before as T;
  const value = keep(before, make(before));
  slots.set(slot, { inputs, value });
  return value;
}
