import { generate } from "../../src/envoy/mod.ts";
import { canonicalJson, contentHash } from "../../src/lib/mod.ts";
import { proxyView, type ResourceView } from "../../src/mesh/mod.ts";
import type { Timing, TimingGroup } from "./timing.ts";
import { storedWorld } from "./view.ts";

const SHAPE = { services: 100, podsPerService: 10, namespaces: 10, seed: 1 };

/** Views to encoded resources, one of each kind, and the hash by which a view's resource is found again. */
export const generateTimings: TimingGroup = {
  name: "generate",
  make: () => [...timingsOf("permissive, 100 services", 0), ...timingsOf("policies, 10 callers", 10)],
};

function timingsOf(mode: string, callers: number): readonly Timing[] {
  const { store, classes } = storedWorld({ ...SHAPE, callers });
  const views = new Map<string, ResourceView>();
  const snapshot = store.snapshot();
  for (const view of proxyView(snapshot, classes[0] ?? "").resources) views.set(view.kind, view);
  const timings = [...views.values()].map(
    (view): Timing => ({
      name: `${mode}: ${view.kind}`,
      run: () => generate(view),
    }),
  );
  const largest = views.get("outbound-listener");
  const smallest = views.get("endpoints");
  for (const view of [largest, smallest]) {
    if (view !== undefined) {
      timings.push({ name: `${mode}: hash of ${view.kind}`, run: () => contentHash(canonicalJson(view)) });
    }
  }
  return timings;
}
