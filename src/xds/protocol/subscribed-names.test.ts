import { expect, test } from "vitest";
import { SubscribedNames } from "./subscribed-names.ts";

test("sharing a set changes neither what a stream asks for nor the set", () => {
  const shared = new Set(["a", "b", "c"]);
  const names = new SubscribedNames();
  for (const name of ["c", "a", "b", "a"]) names.add(name);
  names.share(shared);
  expect([...names]).toEqual(["a", "b", "c"]);
  names.add("a");
  names.add("d");
  expect([names.delete("b"), names.delete("b"), names.delete("ghost")]).toEqual([true, false, false]);
  expect([[...names], names.size, names.has("b"), names.has("d")]).toEqual([["a", "c", "d"], 3, false, true]);
  names.add("b");
  expect([names.delete("d"), names.size, [...names].sort()]).toEqual([true, 3, ["a", "b", "c"]]);
  expect([...shared]).toEqual(["a", "b", "c"]);
});

test("a set with other names is not taken over", () => {
  const names = new SubscribedNames();
  for (const name of ["a", "b"]) names.add(name);
  names.share(new Set(["a", "c"]));
  names.share(new Set(["a", "b", "c"]));
  expect([...names]).toEqual(["a", "b"]);
  names.share(new Set(["b", "a"]));
  expect([...names]).toEqual(["b", "a"]);
});
