import { readdirSync, readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import { type GeneratedResource, generate } from "../../src/envoy/mod.ts";
import type { ResourceView } from "../../src/mesh/mod.ts";
import { decodeToJson } from "./decode.ts";

/** One folder here: a view by hand, and what is generated from it as another decoder reads it. */
export interface GoldenCase {
  readonly name: string;
  readonly resource: GeneratedResource;
  readonly decoded: Record<string, JsonValue>;
}

export const goldenFolder = new URL(".", import.meta.url);

/** All cases, generated anew. */
export function goldenCases(): readonly GoldenCase[] {
  return readdirSync(goldenFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const view = JSON.parse(readFileSync(new URL(`${name}/view.json`, goldenFolder), "utf8")) as ResourceView;
      const resource = generate(view);
      const decoded = decodeToJson(resource.typeUrl, resource.bytes) as Record<string, JsonValue>;
      return { name, resource, decoded };
    });
}
