import Long from "long";
import protobuf from "protobufjs";

/** Fields that hold keys or passwords, by message. What they hold is never shown, in no encoding. */
const SECRET_FIELDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    "envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
    new Set(["privateKey", "password", "pkcs12", "privateKeyProvider"]),
  ],
  ["envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys", new Set(["keys"])],
  ["envoy.extensions.transport_sockets.tls.v3.GenericSecret", new Set(["secret"])],
]);
const REDACTED = "[redacted]";

/** Shows encoded resources to people: JSON in the protobuf mapping, every `Any` opened, keys replaced. */
export type Describe = (typeUrl: string, bytes: Uint8Array) => unknown;

/** `descriptors` is the text of `proto/gen/envoy.json`. Loaded it takes some 20 MB, so only who describes pays for it. */
export function createDescribe(descriptors: string): Describe {
  const root = protobuf.Root.fromJSON(JSON.parse(descriptors) as protobuf.INamespace).resolveAll();
  const describe: Describe = (typeUrl, bytes) => {
    const name = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
    const found = root.lookup(name);
    if (!(found instanceof protobuf.Type)) return { "@type": typeUrl, value: Buffer.from(bytes).toString("base64") };
    return { "@type": typeUrl, ...describeMessage(found, found.decode(bytes), describe) };
  };
  return describe;
}

function describeMessage(type: protobuf.Type, message: object, describe: Describe): Record<string, unknown> {
  const fields = message as Readonly<Record<string, unknown>>;
  const secrets = SECRET_FIELDS.get(type.fullName.slice(1));
  const shown: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(fields, field.name)) continue;
    const value = fields[field.name];
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    shown[field.name] = secrets?.has(field.name) ? REDACTED : describeField(field, value, describe);
  }
  return shown;
}

function describeField(field: protobuf.Field, value: unknown, describe: Describe): unknown {
  if (field instanceof protobuf.MapField) {
    const entries = Object.entries(value as object);
    return Object.fromEntries(entries.map(([key, member]) => [key, describeValue(field, member, describe)]));
  }
  if (Array.isArray(value)) return value.map((member) => describeValue(field, member, describe));
  return describeValue(field, value, describe);
}

function describeValue(field: protobuf.Field, value: unknown, describe: Describe): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return resolvedType.valuesById[value as number] ?? value;
  if (resolvedType instanceof protobuf.Type) return describeNested(resolvedType, value as object, describe);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return Long.isLong(value) ? Number(value) : value;
}

function describeNested(type: protobuf.Type, value: object, describe: Describe): unknown {
  const plain = value as Readonly<Record<string, unknown>>;
  switch (type.fullName) {
    case ".google.protobuf.Any": {
      const any = plain as { readonly typeUrl?: string; readonly type_url?: string; readonly value?: Uint8Array };
      return describe(any.typeUrl ?? any.type_url ?? "", any.value ?? new Uint8Array());
    }
    case ".google.protobuf.Duration":
      return `${Number(plain["seconds"] ?? 0) + Number(plain["nanos"] ?? 0) / 1e9}s`;
    case ".google.protobuf.BoolValue":
    case ".google.protobuf.UInt32Value":
    case ".google.protobuf.UInt64Value":
    case ".google.protobuf.DoubleValue":
    case ".google.protobuf.StringValue":
      return describeValue(type.fields["value"] as protobuf.Field, plain["value"], describe);
    default:
      return describeMessage(type, value, describe);
  }
}
