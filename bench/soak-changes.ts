/** Changes of a soak: of several kinds in turn, and back and forth between few states. */
import type { FileKey, World } from "../src/fleet/world.ts";
import { furtherAddress, type WorldPod } from "../src/fleet/world-objects.ts";

/** Addresses of pods that come and go, beyond those that others move to. */
const GUESTS = 10_000;

/** Makes one change after the other and gives the files to write. */
export interface SoakChanges {
  next(): readonly FileKey[];
}

/**
 * What was made once is in the caches when it comes again, so that a heap that still grows has a leak. Pods alone come under
 * names that were never there before, as they do in a cluster, at few addresses, and go with the next change of their kind.
 */
export function soakChanges(world: World): SoakChanges {
  let count = 0;
  let guest: WorldPod | undefined;
  const comeOrGo = (service: number): readonly FileKey[] => {
    if (guest === undefined) {
      const { pod } = world.addPod(service);
      guest = pod;
      return world.movePod(pod, furtherAddress(GUESTS + service));
    }
    const files = world.removePod(guest);
    guest = undefined;
    return files;
  };
  return {
    next() {
      const n = count++;
      const round = Math.floor(n / 5);
      const service = round % world.services;
      const isOdd = Math.floor(round / world.services) % 2 === 1;
      switch (n % 5) {
        case 0:
        case 1:
          return move(world, service, n % 5, isOdd);
        case 2:
          return editPolicy(world, service, isOdd);
        case 3:
          return editWeight(world, service % 2 === 0 ? 60 : 70);
        default:
          return comeOrGo(service);
      }
    },
  };
}

function move(world: World, service: number, place: number, isOdd: boolean): readonly FileKey[] {
  const pod = world.podsOf(service)[place];
  return pod === undefined ? [] : world.movePod(pod, furtherAddress(2 * pod.id + (isOdd ? 1 : 0)));
}

/** Lets the first service call this one, or no longer. */
function editPolicy(world: World, service: number, isOdd: boolean): readonly FileKey[] {
  const callers = world.callers[service];
  if (callers === undefined || callers.length === 0) return [];
  const others = callers.filter((caller) => caller >= world.services / 2);
  callers.splice(0, callers.length, ...(isOdd && others.length > 0 ? others : [0, ...others]));
  return [`policy ${service}`];
}

function editWeight(world: World, weight: number): readonly FileKey[] {
  const [apex, backends] = [...world.splits][0] ?? [];
  if (apex === undefined || backends === undefined) return [];
  const edited = backends.map(({ service }) => ({ service, weight: service === apex ? weight : 100 - weight }));
  world.splits.set(apex, edited);
  return [`split ${apex}`];
}
