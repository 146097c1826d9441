import type { google } from "../../proto/gen/resources.js";

/** A generated message class, as far as packing needs it. */
export interface MessageCodec<Message> {
  encode(message: Message): { finish(): Uint8Array };
}

/** Packs `message` into an Any. `typeName` is the full protobuf name of what `codec` writes. */
export function packAny<Message>(
  typeName: string,
  codec: MessageCodec<Message>,
  message: Message,
): google.protobuf.Any.$Properties {
  return { type_url: `type.googleapis.com/${typeName}`, value: codec.encode(message).finish() };
}
