import { createHash } from "node:crypto";
import type { ResourceTable } from "./envoy-table.ts";
import { TYPE_URLS } from "./envoy-types.ts";
import type { ProxyTable, TypeDigest } from "./fleet-api.ts";
import type { SimulatedProxy } from "./proxy.ts";

/** Digests of what proxies have; equal ones are one object. */
export class DigestMemory {
  readonly #byTable = new Map<ResourceTable, TypeDigest>();
  readonly #byDigest = new Map<string, TypeDigest>();

  of(proxy: SimulatedProxy): ProxyTable["types"] {
    return Object.fromEntries(TYPE_URLS.map((url, type) => [url, this.#digest(proxy.table(type))]));
  }

  #digest(table: ResourceTable): TypeDigest {
    const known = this.#byTable.get(table);
    if (known !== undefined) return known;
    const names = new Map([...table.resources.values()].map(({ name, hash }) => [name, hash]));
    const text = [...names].map(([name, hash]) => `${name}\0${hash}\n`).sort();
    const digest = createHash("sha256").update(text.join("")).digest("hex").slice(0, 32);
    // Tables differ in versions as well, of which this says nothing.
    const made = this.#byDigest.get(digest) ?? { digest, names };
    this.#byDigest.set(digest, made);
    this.#byTable.set(table, made);
    return made;
  }
}
