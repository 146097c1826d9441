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
  /** The same under a name; lives until `forget` is told that the name is dead. */
  readonly rememberNamed: <T>(name: string, inputs: readonly unknown[], make: () => T) => T;
  readonly forget: (isAlive: (name: string) => boolean) => void;
}

export function viewMemory(): ViewMemory {
  const slotsByOwner = new WeakMap<object, Map<string, Remembered>>();
  const named = new Map<string, Remembered>();
  return {
    remember(owner, slot, inputs, make) {
      let slots = slotsByOwner.get(owner);
      if (slots === undefined) {
        slots = new Map();
        slotsByOwner.set(owner, slots);
      } else if (slots.size > SLOTS_MAX) slots.clear();
      return recall(slots, slot, inputs, make);
    },
    rememberNamed: (name, inputs, make) => recall(named, name, inputs, make),
    forget(isAlive) {
      for (const name of named.keys()) if (!isAlive(name)) named.delete(name);
    },
  };
}

function recall<T>(slots: Map<string, Remembered>, slot: string, inputs: readonly unknown[], make: () => T): T {
  const known = slots.get(slot);
  // A slot is only ever filled and read by one call site, which fixes its type.
  const before = known?.value as T | undefined;
  if (known !== undefined && sameElements(known.inputs, inputs)) return before as T;
  const value = keepIfSame(before, make());
  slots.set(slot, { inputs, value });
  return value;
}
