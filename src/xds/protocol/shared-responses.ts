import { recentCache } from "../recent-cache.ts";
import { type FullSets, fullSets } from "./full-set.ts";
import type { Response, ResponseContent } from "./protocol.ts";

/** Makes responses. What many streams are to be sent is one response, so that it is also encoded once. */
export interface SharedResponses {
  /** A response with this content, and with a serial number above `after`: the last one of the type on the stream. */
  respond(content: ResponseContent, after: number): Response;
  /** All that a table holds of a type. */
  readonly fullSet: FullSets["of"];
  /** Forgets what was not asked for of late; to be called at intervals. */
  age(): void;
}

/** References to resources and names that are kept, and what a response counts beside them. */
const REFERENCES_MAX = 500_000;
const RESPONSE_REFERENCES = 16;

/** Creates the {@link SharedResponses} of one server. Serial numbers begin with 1. */
export function sharedResponses(): SharedResponses {
  const recent = recentCache<number, Response>(REFERENCES_MAX);
  const all = fullSets();
  let serial = 0;
  return {
    respond(content, after) {
      const key = hashOf(content);
      const known = recent.get(key);
      if (known !== undefined && known.serial > after && isSame(known, content)) return known;
      const { typeUrl, version, generation, resources, removed, requiredResends } = content;
      serial += 1;
      const nonce = String(serial);
      const response = { typeUrl, version, generation, resources, removed, requiredResends, nonce, serial };
      recent.set(key, response, resources.length + removed.length + RESPONSE_REFERENCES);
      return response;
    },
    fullSet: all.of,
    age() {
      recent.age();
      all.age();
    },
  };
}

/**
 * Equal for equal contents, and else most likely not: two that meet only cost each other their place. Versions are
 * hashes, or end in one, so that a few of their characters tell them apart. Plain loops: this runs for each delivery.
 */
function hashOf({ typeUrl, generation, resources, removed }: ResponseContent): number {
  let hash = Math.imul(generation, 31) + typeUrl.length;
  for (let n = 0; n < resources.length; n++) hash = mixed(hash, resources[n]?.version ?? "");
  for (let n = 0; n < removed.length; n++) hash = mixed(hash, removed[n] ?? "");
  return hash;
}

function mixed(hash: number, text: string): number {
  const end = text.length - 1;
  const last = text.charCodeAt(end) + (text.charCodeAt(end - 1) << 6) + (text.charCodeAt(end - 2) << 12);
  return (Math.imul(hash, 31) + last + (text.charCodeAt(0) << 18) + (text.charCodeAt(1) << 24)) | 0;
}

function isSame(left: ResponseContent, right: ResponseContent): boolean {
  if (left.generation !== right.generation || left.version !== right.version) return false;
  if (left.typeUrl !== right.typeUrl || left.requiredResends !== right.requiredResends) return false;
  return isSameList(left.resources, right.resources) && isSameList(left.removed, right.removed);
}

function isSameList<Item>(left: readonly Item[], right: readonly Item[]): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let n = 0; n < left.length; n++) if (left[n] !== right[n]) return false;
  return true;
}
