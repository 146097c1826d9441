/** Reads DER that others made, by node-forge's ASN.1. */
import type { asn1 as Asn1Module } from "node-forge";
import asn1 from "node-forge/lib/asn1.js";

/** A value that was read. */
export interface DerValue {
  /** Identifier octet: class, constructed bit and type (X.690 §8.1.2). */
  readonly tag: number;
  /** Empty for a primitive value. */
  readonly children: readonly DerValue[];
  /** Content octets of a primitive value. */
  readonly content: Uint8Array;
  /** The whole value, encoded. */
  readonly raw: () => Uint8Array;
}

/** Reads one value that fills `bytes`. Throws when they are no DER. */
export function readDer(bytes: Uint8Array): DerValue {
  // What stands in a bit string is not guessed at. The library takes these options; its types know an older form.
  const options = { strict: true, decodeBitStrings: false } as unknown as boolean;
  return readNode(asn1.fromDer(Buffer.from(bytes).toString("latin1"), options));
}

function readNode(node: Asn1Module.Asn1): DerValue {
  const { value } = node;
  return {
    tag: node.tagClass | (node.constructed ? 0x20 : 0) | node.type,
    children: typeof value === "string" ? [] : value.map(readNode),
    content: typeof value === "string" ? Buffer.from(value, "latin1") : new Uint8Array(),
    raw: () => Buffer.from(asn1.toDer(node).getBytes(), "latin1"),
  };
}
