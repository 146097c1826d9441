/**
 * Reads Envoy messages with `@bufbuild/protobuf`, from the protos' descriptor and with none of the code of `src/envoy`:
 * what it prints is what another implementation finds in our bytes.
 */
import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  MessageOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import protobuf from "protobufjs";

const registry = readRegistry(new URL("../../proto/gen/envoy.json", import.meta.url));

/** Decodes one message, and every Any in it, to JSON with the field names of the protos. */
export function decodeToJson(typeUrl: string, bytes: Uint8Array): JsonValue {
  const schema = schemaOf(typeUrl);
  return toJson(schema, fromBinary(schema, bytes), { registry, useProtoFieldName: true });
}

/** Decodes one message and encodes it again; fields that are not in the protos are dropped. */
export function reencode(typeUrl: string, bytes: Uint8Array): Uint8Array {
  const schema = schemaOf(typeUrl);
  return toBinary(schema, fromBinary(schema, bytes, { readUnknownFields: false }));
}

function schemaOf(typeUrl: string): DescMessage {
  const schema = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) throw new Error(`decoding "${typeUrl}": no such message in proto/gen/envoy.json`);
  return schema;
}

function readRegistry(path: URL): FileRegistry {
  const root = protobuf.Root.fromJSON(JSON.parse(readFileSync(path, "utf8")) as protobuf.INamespace).resolveAll();
  // One file for all: packages refer to each other in circles. They become messages, which gives the same full names.
  const file = create(FileDescriptorProtoSchema, {
    name: "envoy.proto",
    syntax: "proto3",
    messageType: root.nestedArray.filter((child) => child instanceof protobuf.Namespace).map(describe),
  });
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
}

function describe(namespace: protobuf.NamespaceBase): DescriptorProto {
  const message = create(DescriptorProtoSchema, { name: namespace.name });
  for (const child of namespace.nestedArray) {
    if (child instanceof protobuf.Enum) {
      const value = Object.entries(child.values).map(([name, number]) => ({ name, number }));
      message.enumType.push(create(EnumDescriptorProtoSchema, { name: child.name, value }));
    } else if (child instanceof protobuf.Namespace) {
      message.nestedType.push(describe(child));
    }
  }
  if (namespace instanceof protobuf.Type) describeFields(namespace, message);
  return message;
}

function describeFields(type: protobuf.Type, message: DescriptorProto): void {
  message.oneofDecl = type.oneofsArray.map(({ name }) => ({ $typeName: "google.protobuf.OneofDescriptorProto", name }));
  for (const field of type.fieldsArray) {
    const isRepeated = field.repeated || field.map;
    const described = create(FieldDescriptorProtoSchema, {
      name: snakeCase(field.name),
      number: field.id,
      label: isRepeated ? Label.REPEATED : Label.OPTIONAL,
      ...typeOf(field),
    });
    if (field.partOf) described.oneofIndex = type.oneofsArray.indexOf(field.partOf);
    if (field instanceof protobuf.MapField) {
      const entry = mapEntry(field);
      message.nestedType.push(entry);
      described.type = Type.MESSAGE;
      described.typeName = `${type.fullName}.${entry.name}`;
    }
    message.field.push(described);
  }
}

function mapEntry(field: protobuf.MapField): DescriptorProto {
  const entry = { label: Label.OPTIONAL };
  return create(DescriptorProtoSchema, {
    name: `${field.name}Entry`,
    options: create(MessageOptionsSchema, { mapEntry: true }),
    field: [
      create(FieldDescriptorProtoSchema, { ...entry, name: "key", number: 1, type: scalarType(field.keyType) }),
      create(FieldDescriptorProtoSchema, { ...entry, name: "value", number: 2, ...typeOf(field) }),
    ],
  });
}

function typeOf(field: protobuf.FieldBase): { type: Type; typeName?: string } {
  const { resolvedType } = field;
  if (resolvedType === null) return { type: scalarType(field.type) };
  const type = resolvedType instanceof protobuf.Enum ? Type.ENUM : Type.MESSAGE;
  return { type, typeName: resolvedType.fullName };
}

function scalarType(name: string): Type {
  return Type[name.toUpperCase() as keyof typeof Type];
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
