import { contentHash } from "../lib/mod.ts";
import type { LocalService } from "./services.ts";

/** First two bytes of the service range; the rest of an address is allocated. */
const PREFIX = "10.96";
/** `10.96.0.0/24` is kept for what has a fixed address, the cluster's DNS among it. */
const FIRST = 256;
const LAST = 65534;

/**
 * The cluster IP of every Service that has one, by `namespace/name`: a declared one is kept, the others get an address
 * derived from their name, so that it is the same after a restart. `previous` is the last answer: a Service keeps its
 * address while it lives. Of two that declare one address the older has it, then the first by namespace/name; the other
 * gets none, as an API server would refuse it.
 */
export function allocateClusterIps(
  services: readonly LocalService[],
  previous: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  const taken = new Set<string>();
  const give = (key: string, address: string) => {
    if (taken.has(address)) return false;
    addresses.set(key, address);
    taken.add(address);
    return true;
  };
  const sorted = services.filter(hasClusterIp).map((service) => ({ ...service, key: keyOf(service) }));
  sorted.sort((a, b) => compareText(a.createdAt, b.createdAt) || compareText(a.key, b.key));
  for (const { key, clusterIp } of sorted) if (clusterIp !== "") give(key, clusterIp);
  const open = sorted.filter(({ clusterIp }) => clusterIp === "");
  const unplaced = open.filter(({ key }) => {
    const before = previous.get(key);
    return before === undefined || !give(key, before);
  });
  for (const { key } of unplaced) {
    const start = Number.parseInt(contentHash(key).slice(0, 8), 16);
    const size = LAST - FIRST + 1;
    for (let step = 0; step < size && !give(key, addressAt(FIRST + ((start + step) % size))); step++);
  }
  return addresses;
}

function hasClusterIp({ type, clusterIp }: LocalService): boolean {
  return type !== "ExternalName" && clusterIp !== "None";
}

function keyOf({ namespace, name }: LocalService): string {
  return `${namespace}/${name}`;
}

function addressAt(offset: number): string {
  return `${PREFIX}.${offset >> 8}.${offset & 255}`;
}

/** An absent time sorts first: an object without one counts as oldest. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
