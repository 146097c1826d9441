import {
  createMeshStore,
  type MeshSnapshot,
  type MeshStore,
  proxyView,
  type RecordChange,
} from "../../src/mesh/mod.ts";
import { createTranslation, type Translation } from "../../src/translate/mod.ts";
import { makeWorld, type Shape, type World } from "../world.ts";
import type { Timing, TimingGroup } from "./timing.ts";

const SHAPE = { services: 1000, podsPerService: 5, namespaces: 25, seed: 1 };
/** Classes whose views are asked for; a control plane asks only for those that some proxy is connected for. */
const CLASSES = 200;

/** A world in a store, and what is needed to change it. */
export interface StoredWorld {
  readonly world: World;
  readonly translation: Translation;
  readonly store: MeshStore;
  /** Keys of the workload classes, in the order of their namespaces. */
  readonly classes: readonly string[];
}

/** Translates a world and takes it into a store. */
export function storedWorld(shape: Shape): StoredWorld {
  const world = makeWorld(shape);
  const { translation, changes } = translated(world);
  const store = createMeshStore();
  store.apply(changes);
  return { world, translation, store, classes: classesOf(store.snapshot()) };
}

function translated(world: World) {
  const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
  const objects = world.objects.map((object) => ({ object }));
  return { translation, changes: translation.apply([{ type: "reset", source: "bench", objects }]) };
}

function classesOf(snapshot: MeshSnapshot): readonly string[] {
  return [...snapshot.namespaces.values()].flatMap(({ workloads }) => [...workloads.classes.keys()]);
}

/** Records to views: of a new world, and after one edit of it. */
export const viewTimings: TimingGroup = {
  name: "view",
  make: () => [...viewsOf("policies", 10), ...viewsOf("permissive", 0)],
};

function viewsOf(mode: string, callers: number): readonly Timing[] {
  const stored = storedWorld({ ...SHAPE, callers });
  const { world, translation, store, classes } = stored;
  const wanted = classes.slice(0, CLASSES);
  const look = () => {
    const snapshot = store.snapshot();
    return wanted.map((key) => proxyView(snapshot, key));
  };
  look();
  const everything: readonly RecordChange[] = translated(world).changes;
  const flip = flipper();
  const edit = (object: ReturnType<World["slice"]>) =>
    store.apply(translation.apply([{ type: "apply", source: "bench", object }]));
  const name = (what: string) => `${mode}: ${what}`;
  return [
    {
      name: name(`snapshot of 1000 services, 5000 pods`),
      calls: 8,
      run() {
        const fresh = createMeshStore();
        fresh.apply(everything);
        return fresh.snapshot();
      },
    },
    {
      name: name(`snapshot and ${CLASSES} views of a new world`),
      calls: 8,
      run() {
        const fresh = createMeshStore();
        fresh.apply(everything);
        const snapshot = fresh.snapshot();
        return wanted.map((key) => proxyView(snapshot, key));
      },
    },
    {
      name: name(`one endpoint, then ${CLASSES} views`),
      calls: 40,
      run() {
        edit(world.slice(0, flip() ? ["10.200.0.1"] : []));
        return look();
      },
    },
    {
      name: name("one endpoint, snapshot alone"),
      calls: 40,
      run() {
        edit(world.slice(0, flip() ? ["10.200.0.1"] : []));
        return store.snapshot();
      },
    },
    ...(callers === 0
      ? []
      : [
          {
            name: name(`one TrafficTarget, then ${CLASSES} views`),
            calls: 40,
            run() {
              edit(world.target(0, flip() ? ["read"] : ["read", "write"]));
              return look();
            },
          },
        ]),
  ];
}

function flipper(): () => boolean {
  let isOn = false;
  return () => {
    isOn = !isOn;
    return isOn;
  };
}
