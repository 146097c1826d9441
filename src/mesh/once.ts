/** Results made at most once, by name. */
export interface Once {
  /** A name belongs to one call site, which fixes its type. */
  readonly once: <T>(name: string, make: () => T) => T;
}

export function createOnce(): Once {
  const done = new Map<string, unknown>();
  return {
    once<T>(name: string, make: () => T): T {
      if (!done.has(name)) done.set(name, make());
      return done.get(name) as T;
    },
  };
}
