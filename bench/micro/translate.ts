import { createTranslation } from "../../src/translate/mod.ts";
import { makeWorld } from "../world.ts";
import type { Timing, TimingGroup } from "./timing.ts";

const SHAPE = { services: 1000, podsPerService: 5, namespaces: 25, callers: 10, seed: 1 };

/** Kubernetes objects to records: one object of each kind, and everything of a large mesh at once. */
export const translateTimings: TimingGroup = {
  name: "translate",
  make(): readonly Timing[] {
    const { objects } = makeWorld(SHAPE);
    const options = { meshName: "osm", osmNamespace: "osm-system" };
    const kinds = [...new Set(objects.map(({ kind }) => kind))];
    const single = kinds.map((kind): Timing => {
      const object = objects.find((each) => each.kind === kind);
      if (object === undefined) throw new Error(`no ${kind} in the world`);
      const translation = createTranslation(options);
      return { name: kind, run: () => translation.apply([{ type: "apply", source: "bench", object }]) };
    });
    const all = objects.map((object) => ({ object }));
    const reset: Timing = {
      name: `all ${objects.length} objects of 1000 services, 5000 pods`,
      calls: 10,
      run: () => createTranslation(options).apply([{ type: "reset", source: "bench", objects: all }]),
    };
    return [...single, reset];
  },
};
