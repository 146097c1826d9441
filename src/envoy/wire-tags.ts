/** Tags before fields: number and wire type (protobuf.dev, "Encoding"). */

/** Of a text, bytes or message. */
export function bytesTag(field: number): number {
  return (field << 3) | 2;
}

/** Of a number or truth value. */
export function varintTag(field: number): number {
  return field << 3;
}
