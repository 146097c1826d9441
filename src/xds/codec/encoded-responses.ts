import type { Delivery } from "../observer.ts";
import type { Response } from "../protocol/protocol.ts";
import { recentCache } from "../recent-cache.ts";
import type { TypeUrl } from "../resource.ts";
import { PREFIX_BYTES } from "../transport.ts";

/** A response as it goes out, and what is told about it. */
export interface EncodedResponse {
  /** With its gRPC prefix. Never changed: many streams send the same bytes. */
  readonly prefixed: Buffer;
  readonly delivery: Delivery;
}

export interface EncodedResponses {
  /** Encodes a response, once for all streams that send it at about the same time. */
  encoded(response: Response): EncodedResponse;
  /** Forgets what was not asked for of late; to be called at intervals. */
  age(): void;
}

/** What is kept for streams that send the same a little later: the first tables of some fifty workload classes. */
const BYTES_MAX = 16 * 1024 * 1024;
/** A response is kept twice: as gRPC has it, and in HTTP/2 frames. */
const COPIES = 2;
const ENTRY_OVERHEAD_BYTES = 512;

/** Creates the {@link EncodedResponses} of one protocol. */
export function encodedResponses(encode: (response: Response) => Buffer): EncodedResponses {
  const recent = recentCache<Response, EncodedResponse>(BYTES_MAX);
  return {
    encoded(response) {
      const known = recent.get(response);
      if (known !== undefined) return known;
      const prefixed = encode(response);
      const made = { prefixed, delivery: deliveryOf(response, prefixed.length - PREFIX_BYTES) };
      const bytes = COPIES * prefixed.length + ENTRY_OVERHEAD_BYTES;
      // However long it is, thousands may be about to be sent it: of those that alone take more there are two at most.
      recent.set(response, made, Math.min(bytes, BYTES_MAX / 2));
      return made;
    },
    age: () => recent.age(),
  };
}

function deliveryOf({ typeUrl, nonce, generation, resources, removed, requiredResends }: Response, bytes: number) {
  return { typeUrl: typeUrl as TypeUrl, nonce, generation, resources, removed, requiredResends, bytes };
}
