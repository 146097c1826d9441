import { ownCopy } from "../lib/mod.ts";
import { encodeDeltaRequest, encodeSotwRequest, nodeField } from "./envoy-discovery.ts";
import type { ReadResponse } from "./envoy-resources.ts";
import type { ResourceTable } from "./envoy-table.ts";
import { TYPE_URLS } from "./envoy-types.ts";
import { dataFrame, dataFrames } from "./http2-frames.ts";

/** Writes the requests of one stream in one of the two protocols. */
export interface Requests {
  /** The first request of a type on a stream. `names` is empty for what is asked for as a whole. */
  open(type: number, names: ReadonlySet<string>, table: ResourceTable, node: Buffer | undefined): readonly Buffer[];
  /** Other names than before. */
  ask(
    type: number,
    names: ReadonlySet<string>,
    added: readonly string[],
    removed: readonly string[],
  ): readonly Buffer[];
  acknowledge(response: ReadResponse, nonce: string, names: ReadonlySet<string>): Buffer | readonly Buffer[];
  refuse(response: ReadResponse, nonce: string, names: ReadonlySet<string>, reason: string): readonly Buffer[];
}

/** What it says does not depend on the stream, so all streams share it and its frames. */
export const deltaRequests: Requests = {
  open(type, names, table, node) {
    let first = table.firstRequest;
    if (first?.names !== names) {
      const versions = [...table.resources.values()].map(({ name, version }) => [name, version] as const);
      const bytes = ownCopy(
        encodeDeltaRequest({ typeUrl: typeUrl(type), subscribe: names, initialVersions: versions }),
      );
      first = { names, bytes };
      // The empty table is that of every type.
      if (table.resources.size > 0) table.firstRequest = first;
    }
    return dataFrames(node === undefined ? first.bytes : Buffer.concat([nodeField(node), first.bytes]));
  },
  ask(type, _names, added, removed) {
    return dataFrames(encodeDeltaRequest({ typeUrl: typeUrl(type), subscribe: added, unsubscribe: removed }));
  },
  acknowledge(response, nonce) {
    const last = response.ack;
    if (last?.nonce === nonce) return last.frame;
    const isPlain = isAscii(nonce);
    if (isPlain && last?.nonce.length === nonce.length) {
      // The nonce is the last field: a server with nonces of its own for each stream costs a copy, no encoding.
      const copy = Buffer.from(last.frame);
      copy.write(nonce, copy.length - nonce.length, "latin1");
      return copy;
    }
    const message = encodeDeltaRequest({ typeUrl: response.typeUrl, nonce });
    const frame = dataFrame(message);
    if (frame === undefined) return dataFrames(message);
    if (isPlain) response.ack = { nonce, frame: ownCopy(frame) };
    return frame;
  },
  refuse(response, nonce, _names, reason) {
    return dataFrames(encodeDeltaRequest({ typeUrl: response.typeUrl, nonce, refusal: reason }));
  },
};

/** Knows the versions and nonces of its stream. Versions outlive streams, nonces do not: `opened` forgets them. */
export class SotwRequests implements Requests {
  readonly #versions: string[] = TYPE_URLS.map(() => "");
  readonly #nonces: string[] = TYPE_URLS.map(() => "");

  opened(): void {
    this.#nonces.fill("");
  }

  forget(): void {
    this.#versions.fill("");
  }

  open(type: number, names: ReadonlySet<string>, _table: ResourceTable, node: Buffer | undefined): readonly Buffer[] {
    return this.#request(type, names, { node });
  }

  ask(type: number, names: ReadonlySet<string>): readonly Buffer[] {
    return this.#request(type, names, {});
  }

  acknowledge(response: ReadResponse, nonce: string, names: ReadonlySet<string>): readonly Buffer[] {
    if (response.type === undefined) return [];
    this.#versions[response.type] = response.version;
    this.#nonces[response.type] = nonce;
    return this.#request(response.type, names, {});
  }

  refuse(response: ReadResponse, nonce: string, names: ReadonlySet<string>, reason: string): readonly Buffer[] {
    if (response.type === undefined) return [];
    this.#nonces[response.type] = nonce;
    return this.#request(response.type, names, { refusal: reason });
  }

  #request(
    type: number,
    names: ReadonlySet<string>,
    more: { readonly node?: Buffer | undefined; readonly refusal?: string },
  ): readonly Buffer[] {
    const version = this.#versions[type] ?? "";
    const nonce = this.#nonces[type] ?? "";
    return dataFrames(encodeSotwRequest({ typeUrl: typeUrl(type), version, nonce, names, ...more }));
  }
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}

function typeUrl(type: number): string {
  return TYPE_URLS[type] ?? "";
}
