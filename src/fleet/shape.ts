/** How large a mesh is and who calls whom: plain data, and the shapes that have a name. */

/** Who may call whom. Drawn by the shape's seed. */
export type CallGraph =
  /** Every service is called by every service, itself included. */
  | { readonly kind: "all" }
  /** Every service has so many callers. */
  | { readonly kind: "degree"; readonly degree: number }
  /** The first services call all others; the rest call `degree` services each. */
  | { readonly kind: "hubs"; readonly hubs: number; readonly degree: number }
  /** Services in groups of `size`: within one everybody calls everybody, itself included. */
  | { readonly kind: "groups"; readonly size: number }
  /** Within a namespace everybody calls everybody, itself included. */
  | { readonly kind: "namespace" }
  /** Service i calls service j > i with the probability `density` / (j - i). */
  | { readonly kind: "dag"; readonly density: number }
  /** Blocks of ten services: the first calls the nine others, two call a service whose traffic is split five ways. */
  | { readonly kind: "ladder" };

export interface Shape {
  readonly services: number;
  /** Pods of each service; each has one proxy. */
  readonly pods: number;
  /** Services lie in this many namespaces, in turn. */
  readonly namespaces: number;
  /** `permissive`: all may call all and no policy is written. `smi`: one TrafficTarget for each service. */
  readonly mode: "permissive" | "smi";
  /** What proxies know in permissive mode: their own namespace; absent: everything. Every namespace says so, in any mode. */
  readonly scope?: "namespace";
  readonly calls: CallGraph;
  /** So many of the first services are split between themselves and another of their namespace. */
  readonly splits: number;
  readonly seed: number;
}

export interface NamedShape {
  readonly name: string;
  readonly summary: string;
  readonly shape: Shape;
}

const permissive = (services: number, pods: number): Shape => ({
  services,
  pods,
  namespaces: Math.min(10, services),
  mode: "permissive",
  calls: { kind: "all" },
  splits: Math.min(2, Math.floor(services / 20)),
  seed: 1,
});

const smi = (services: number, pods: number, calls: CallGraph, namespaces = 10): Shape => ({
  services,
  pods,
  namespaces,
  mode: "smi",
  calls,
  splits: calls.kind === "ladder" ? 0 : Math.min(2, Math.floor(services / (2 * namespaces))),
  seed: 1,
});

const ladder = (services: number): Shape => smi(services, 10, { kind: "ladder" }, Math.min(10, services / 10));

/** Shapes on which other control planes were measured or which their documents name, by the names used for them here. */
export const namedShapes: readonly NamedShape[] = [
  { name: "W1", summary: "20 services, 200 proxies, everybody sees everybody", shape: permissive(20, 10) },
  { name: "W2", summary: "50 services, 500 proxies, everybody sees everybody", shape: permissive(50, 10) },
  { name: "W3", summary: "100 services, 1,000 proxies, everybody sees everybody", shape: permissive(100, 10) },
  { name: "X2", summary: "50 services, 2,000 proxies, everybody sees everybody", shape: permissive(50, 40) },
  { name: "X5", summary: "100 services, 5,000 proxies, everybody sees everybody", shape: permissive(100, 50) },
  {
    name: "S5",
    summary: "5,000 proxies in scopes of ten services; each endpoint is seen by 50",
    shape: smi(1000, 5, { kind: "groups", size: 10 }, 100),
  },
  { name: "O200", summary: "the ladder of OSM's scale test, 200 proxies", shape: ladder(20) },
  { name: "O400", summary: "the ladder of OSM's scale test, 400 proxies", shape: ladder(40) },
  { name: "O800", summary: "the ladder of OSM's scale test, 800 proxies", shape: ladder(80) },
  { name: "O1600", summary: "the ladder of OSM's scale test, 1,600 proxies", shape: ladder(160) },
  {
    name: "K",
    summary: "1,000 services, 2,000 proxies, a sparse acyclic call graph",
    shape: smi(1000, 2, { kind: "dag", density: 0.5 }),
  },
  {
    name: "I",
    summary: "1,000 services, 2,000 proxies, 50 callers each, 25 namespaces",
    shape: smi(1000, 2, { kind: "degree", degree: 50 }, 25),
  },
  {
    name: "H",
    summary: "50 services, 1,000 proxies, 20 of them call everybody",
    shape: smi(50, 20, { kind: "hubs", hubs: 20, degree: 3 }),
  },
  {
    name: "XL",
    summary: "1,000 services, 5,000 proxies, 10 callers each",
    shape: smi(1000, 5, { kind: "degree", degree: 10 }),
  },
  {
    name: "XL50",
    summary: "1,000 services, 5,000 proxies, 50 callers each",
    shape: smi(1000, 5, { kind: "degree", degree: 50 }),
  },
  { name: "XLP", summary: "1,000 services, 5,000 proxies, everybody sees everybody", shape: permissive(1000, 5) },
  { name: "HOT", summary: "one service of 5,000 pods that call each other", shape: permissive(1, 5000) },
  {
    name: "XXL",
    summary: "500 services, 10,000 proxies, 5 callers each",
    shape: smi(500, 20, { kind: "degree", degree: 5 }),
  },
];

/** The shape of this name. */
export function namedShape(name: string): Shape | undefined {
  return namedShapes.find((each) => each.name === name)?.shape;
}

/** Share of a split's traffic, by service number. */
export interface Split {
  /** The service that is called. */
  readonly apex: number;
  /** Who answers, in a fixed order. */
  readonly backends: readonly number[];
}

/** Services per block of a ladder. */
const LADDER_BLOCK = 10;

/** The namespace of service `n`, as a number. Services of one block of a ladder share theirs: a split stays within one. */
export function namespaceOf(shape: Shape, service: number): number {
  const position = shape.calls.kind === "ladder" ? Math.floor(service / LADDER_BLOCK) : service;
  return position % shape.namespaces;
}

/** Services of a namespace, in ascending order. */
export function servicesIn(shape: Shape, namespace: number): readonly number[] {
  const all = Array.from({ length: shape.services }, (_, service) => service);
  return all.filter((service) => namespaceOf(shape, service) === namespace);
}

/** Callers of each service in ascending order; the same for the same shape. */
export function callersOf(shape: Shape): readonly (readonly number[])[] {
  const { services, calls } = shape;
  const random = randomNumbers(shape.seed);
  const callers = Array.from({ length: services }, () => new Set<number>());
  const add = (caller: number, called: number) => callers[called]?.add(caller);
  for (let service = 0; service < services; service++) {
    switch (calls.kind) {
      case "all":
        for (let caller = 0; caller < services; caller++) add(caller, service);
        break;
      case "degree":
        for (const caller of drawOthers(service, services, calls.degree, random)) add(caller, service);
        break;
      case "hubs": {
        const degree = service < calls.hubs ? services - 1 : calls.degree;
        for (const called of drawOthers(service, services, degree, random)) add(service, called);
        break;
      }
      case "groups": {
        const first = service - (service % calls.size);
        for (let other = first; other < Math.min(first + calls.size, services); other++) add(other, service);
        break;
      }
      case "namespace":
        for (const other of servicesIn(shape, namespaceOf(shape, service))) add(other, service);
        break;
      case "dag":
        for (let called = service + 1; called < services; called++) {
          if (random() < calls.density / (called - service)) add(service, called);
        }
        break;
      case "ladder": {
        const first = service - (service % LADDER_BLOCK);
        const place = service - first;
        const called = place === 0 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : place <= 2 ? [3, 4, 5, 6, 7] : [];
        for (const other of called) if (first + other < services) add(service, first + other);
        break;
      }
    }
  }
  return callers.map((set) => [...set].sort((left, right) => left - right));
}

/** The splits of a shape. */
export function splitsOf(shape: Shape): readonly Split[] {
  const splits: Split[] = [];
  if (shape.calls.kind === "ladder") {
    for (let first = 0; first + LADDER_BLOCK <= shape.services; first += LADDER_BLOCK) {
      splits.push({ apex: first + 3, backends: [3, 4, 5, 6, 7].map((place) => first + place) });
    }
    return splits;
  }
  // Backends lie `splits` rounds of namespaces further on, so that no service is in two splits.
  const rounds = Math.ceil(shape.splits / shape.namespaces);
  for (let apex = 0; apex < shape.splits; apex++) {
    const other = apex + rounds * shape.namespaces;
    if (other < shape.services) splits.push({ apex, backends: [apex, other] });
  }
  return splits;
}

function drawOthers(own: number, services: number, count: number, random: () => number): ReadonlySet<number> {
  const drawn = new Set<number>();
  const wanted = Math.min(count, services - 1);
  if (wanted === services - 1) {
    for (let other = 0; other < services; other++) if (other !== own) drawn.add(other);
    return drawn;
  }
  while (drawn.size < wanted) {
    const other = Math.floor(random() * services);
    if (other !== own) drawn.add(other);
  }
  return drawn;
}

/** Mulberry32: small and seeded; good enough to draw a call graph or the next service to change. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
