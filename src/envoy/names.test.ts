import { describe, expect, test } from "vitest";
import { parseProbeClusterName, parseProbePath, probeClusterName, probePath } from "./names.ts";

describe("names of probes", () => {
  test("a rewritten path leads back to its container, also where one name begins another", () => {
    for (const container of ["app", "app-2", "liveness"]) {
      expect(parseProbePath(probePath("readiness", container))).toEqual({ kind: "readiness", container });
    }
    expect(parseProbePath("/osm-liveness-probe")).toBeUndefined();
    expect(parseProbePath("/healthz")).toBeUndefined();
  });

  test("a probe's cluster leads back to its container", () => {
    for (const container of ["app", "a_liveness_cluster"]) {
      expect(parseProbeClusterName(probeClusterName("startup", container))).toEqual({ kind: "startup", container });
    }
    expect(parseProbeClusterName("bookstore/bookstore|14001|local")).toBeUndefined();
  });
});
