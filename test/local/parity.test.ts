import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missing } from "../support/needs.ts";
import { accessRows } from "./parity/access-rows.ts";
import { changeRows } from "./parity/change-rows.ts";
import { type ServedMesh, serveMesh } from "./parity/served-mesh.ts";
import { trafficRows } from "./parity/traffic-rows.ts";
import { leaves, world } from "./parity/world.ts";
import { obstacle } from "./served-folder.ts";

const reason = missing("pods") ?? obstacle;

describe.skipIf(reason !== undefined)(
  `between pods with real Envoys${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    let mesh: ServedMesh;
    beforeAll(async () => {
      mesh = await serveMesh(world, leaves);
    });
    afterAll(async () => await mesh?.stop());

    describe("access", () => accessRows(() => mesh));
    describe("traffic", () => trafficRows(() => mesh));
    describe("identity and change", () => changeRows(() => mesh));

    test("row 72: after all of this no proxy has refused anything", async () => {
      expect(await mesh.metric("osm_xds_nacks_total")).toBe(0);
      for (const { types } of await mesh.proxies()) {
        for (const type of Object.values(types)) expect(type.refused).toBeUndefined();
      }
    });
  },
);
