/** Results made at most once, by name. Names are `<stage> <owner>`; the owner of what belongs to all is empty. */
export interface Once {
  /** A name belongs to one call site, which fixes its type. */
  readonly once: <T>(name: string, make: () => T) => T;
  /** Drops what belongs to owners that are gone. */
  readonly forget: (isAlive: (name: string) => boolean) => void;
}

export function createOnce(): Once {
  const done = new Map<string, unknown>();
  return {
    once<T>(name: string, make: () => T): T {
      if (!done.has(name)) done.set(name, make());
      return done.get(name) as T;
    },
    forget(isAlive) {
      for (const name of done.keys()) if (!isAlive(name)) done.delete(name);
    },
  };
}
