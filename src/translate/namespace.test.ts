import { expect, test } from "vitest";
import { OUTBOUND_SCOPE_ANNOTATION } from "../mesh/mod.ts";
import { translateNamespace } from "./namespace.ts";

const translate = (annotation: unknown) =>
  translateNamespace({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop", annotations: { [OUTBOUND_SCOPE_ANNOTATION]: annotation as string } },
  });
const scope = (annotation: unknown) => translate(annotation).record?.outboundScope;

test("a scope says the same however it is written", () => {
  const entries = [{ namespace: "depot" }, { namespace: "stock", service: "api" }];
  for (const text of ["depot,stock/api", " stock/api ,\n depot,", "depot, depot, stock/api"]) {
    expect(scope(text)).toEqual(entries);
  }
});

test("an empty scope is the namespace alone, none is everything", () => {
  expect(scope("")).toEqual([]);
  expect(scope(undefined)).toBeUndefined();
});

test("what names nothing is reported and costs the rest of the scope nothing", () => {
  const { record, rejections } = translate("depot, *, a b, stock/api/v1, Far, stock/");
  expect(record?.outboundScope).toEqual([{ namespace: "depot" }]);
  expect(rejections.map(({ reason, strength }) => `${reason} ${strength}`)).toEqual(
    Array(5).fill("scope-invalid part"),
  );
});

test("a value that is no text leaves the namespace in the mesh without a scope", () => {
  const { record, rejections } = translate(["depot"]);
  expect(record).toMatchObject({ name: "shop" });
  expect(record?.outboundScope).toBeUndefined();
  expect(rejections.map(({ reason }) => reason)).toEqual(["scope-invalid"]);
});
