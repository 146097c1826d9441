import { expect, test } from "vitest";
import { podRecord } from "../../test/support/records.ts";
import type { KubeObject } from "../kube/mod.ts";
import { finish } from "../lib/mod.ts";
import { createPodDirectory } from "./pod-directory.ts";

const NAMES = ["cart-0", "cart-1", "cart-2"];
const records = NAMES.map((name, n) => podRecord("shop", name, "cart", `10.0.0.${n}`));
const put = records.map((record) => ({ type: "put", record }) as const);

function podObject(name: string, status: "True" | "False"): KubeObject {
  const conditions = [{ type: "Ready", status, reason: "because" }];
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" }, status: { conditions } };
}

test("a source that starts with very many pods lets others go first between any two of them", () => {
  const objects = NAMES.map((name) => ({ object: podObject(name, "True") }));
  const steps = createPodDirectory().note([{ type: "reset", source: "folder", objects }], put);
  expect([...steps]).toHaveLength(2 * NAMES.length);
});

test("a pod is as ready as its source said last, and gone with its record", () => {
  const pods = createPodDirectory();
  const apply = (status: "True" | "False") =>
    ({ type: "apply", source: "folder", object: podObject("cart-0", status) }) as const;
  finish(pods.note([apply("False")], put));
  expect(pods.readinessOf("shop", "cart-0")).toEqual({ isReady: false, reason: "because" });
  finish(pods.note([apply("True")], []));
  expect(pods.readinessOf("shop", "cart-0").isReady).toBe(true);
  finish(pods.note([], [{ type: "remove", kind: "Pod", namespace: "shop", name: "cart-0" }]));
  expect([pods.find("shop", "cart-0"), pods.readinessOf("shop", "cart-0").isReady]).toEqual([undefined, false]);
  expect(pods.pods()).toEqual(records.slice(1));
});
