import { describe } from "vitest";

/** Path of the Envoy that set-up found; undefined where there is none. */
export const envoyBinary = process.env["OSM_ENVOY"];

/** Like `describe`, skipped by name on a machine without Envoy. */
export const describeWithEnvoy =
  envoyBinary === undefined
    ? (name: string, body: () => void) => describe.skip(`${name} (skipped: OSM_ENVOY names no Envoy)`, body)
    : describe;
