/**
 * The envelope of discovery requests and responses in protobuf's wire format, as the xDS protocol defines it: only what a
 * client of the protocol needs, written by hand so that a response costs no objects before it is known to be a new one.
 * Fields as in envoy/service/discovery/v3/discovery.proto.
 */

/** A response that is no protobuf, or not one of the protocol. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

export type Protocol = "delta" | "sotw";

/** Where the nonce lies in a response: what differs between streams that are told the same. */
export interface NonceRange {
  /** Of the whole field, tag included; equal to `end` when there is none. */
  start: number;
  end: number;
  textStart: number;
}

const NONCE_FIELD = 5;

/** Finds the nonce without reading what lies around it. `range` is filled and can be used again. */
export function findNonce(bytes: Buffer, range: NonceRange): void {
  range.start = 0;
  range.end = 0;
  range.textStart = 0;
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== NONCE_FIELD || reader.wireType !== 2) continue;
    range.start = reader.fieldStart;
    range.end = reader.end;
    range.textStart = reader.start;
  }
}

export interface RawResource {
  readonly name: string;
  readonly version: string;
  /** Of the resource itself; still part of the response's bytes. */
  readonly value: Buffer;
}

export interface RawResponse {
  readonly typeUrl: string;
  /** `version_info` of a state-of-the-world response. */
  readonly version: string;
  readonly resources: readonly RawResource[];
  readonly removed: readonly string[];
  /** Why an Envoy refuses a response that can be read. */
  readonly problem: string | undefined;
}

interface AnyContent {
  readonly typeUrl: string;
  readonly value: Buffer;
}

/** In state-of-the-world responses a resource may come in the envelope that it has in delta responses. */
const ENVELOPE = "type.googleapis.com/envoy.service.discovery.v3.Resource";

export function readDeltaResponse(bytes: Buffer): RawResponse {
  const response = { typeUrl: "", version: "", resources: [] as RawResource[], removed: [] as string[] };
  const types = new Set<string>();
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 2) response.resources.push(readDeltaResource(reader.bytes(), types));
    else if (reader.field === 4) response.typeUrl = reader.text();
    else if (reader.field === 6) response.removed.push(reader.text());
  }
  return { ...response, problem: otherType(response.typeUrl, types) ?? nameTwice(response) };
}

/** `types` is given the type that its content says to have. */
function readDeltaResource(bytes: Buffer, types: Set<string>): RawResource {
  let [name, version] = ["", ""];
  let value = bytes.subarray(0, 0);
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) version = reader.text();
    else if (reader.field === 2) {
      const any = readAny(reader.bytes());
      types.add(any.typeUrl);
      value = any.value;
    } else if (reader.field === 3) name = reader.text();
  }
  return { name, version, value };
}

export function readSotwResponse(bytes: Buffer): RawResponse {
  const response = { typeUrl: "", version: "", resources: [] as RawResource[], removed: [] };
  const types = new Set<string>();
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) response.version = reader.text();
    else if (reader.field === 4) response.typeUrl = reader.text();
    else if (reader.field === 2) {
      const { typeUrl, value } = readAny(reader.bytes());
      if (typeUrl === ENVELOPE) response.resources.push(readDeltaResource(value, types));
      else {
        types.add(typeUrl);
        response.resources.push({ name: ownName(value), version: "", value });
      }
    }
  }
  return { ...response, problem: otherType(response.typeUrl, types) };
}

function otherType(typeUrl: string, types: ReadonlySet<string>): string | undefined {
  for (const each of types)
    if (each !== typeUrl) return `a resource of type "${each}" among those of type "${typeUrl}"`;
  return undefined;
}

/** A delta response may name a resource once, be it new or gone. */
function nameTwice({ resources, removed }: Pick<RawResponse, "resources" | "removed">): string | undefined {
  const names = new Set(removed);
  if (names.size < removed.length) return "a removed name comes twice";
  for (const { name } of resources) {
    if (names.has(name)) return `the name "${name}" comes twice`;
    names.add(name);
  }
  return undefined;
}

function readAny(bytes: Buffer): AnyContent {
  let typeUrl = "";
  let value = bytes.subarray(0, 0);
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) typeUrl = reader.text();
    else if (reader.field === 2) value = reader.bytes();
  }
  return { typeUrl, value };
}

/** Clusters, endpoints, listeners, routes and secrets all have their name in field 1. */
function ownName(resource: Buffer): string {
  const reader = new WireReader(resource);
  while (reader.next()) if (reader.field === 1) return reader.text();
  return "";
}

/** Goes over the fields of a message. */
class WireReader {
  readonly #bytes: Buffer;
  field = 0;
  wireType = 0;
  fieldStart = 0;
  /** Of the content of a length-delimited field, of the whole field otherwise. */
  start = 0;
  end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): boolean {
    if (this.end >= this.#bytes.length) return false;
    this.fieldStart = this.end;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag & 7;
    this.start = this.end;
    if (this.wireType === 2) {
      const length = this.#varint();
      this.start = this.end;
      this.end += length;
    } else if (this.wireType === 0) this.#varint();
    else if (this.wireType === 1) this.end += 8;
    else if (this.wireType === 5) this.end += 4;
    else throw new EnvelopeError(`field ${this.field} has the wire type ${this.wireType}`);
    if (this.end > this.#bytes.length) throw new EnvelopeError(`field ${this.field} reaches beyond its message`);
    return true;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(this.start, this.end);
  }

  text(): string {
    return this.#bytes.toString("utf8", this.start, this.end);
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 64; factor *= 128) {
      const byte = this.#bytes[this.end++];
      if (byte === undefined) throw new EnvelopeError("a message ends within a number");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new EnvelopeError("a number of more than 64 bits");
  }
}

export interface DeltaRequest {
  readonly typeUrl: string;
  readonly subscribe?: Iterable<string>;
  readonly unsubscribe?: Iterable<string>;
  /** Versions by name. */
  readonly initialVersions?: Iterable<readonly [name: string, version: string]>;
  readonly nonce?: string;
  /** Why the response was refused. */
  readonly refusal?: string;
}

export function encodeDeltaRequest(request: DeltaRequest): Buffer {
  const parts: Buffer[] = [];
  parts.push(textField(2, request.typeUrl));
  for (const name of request.subscribe ?? []) parts.push(textField(3, name));
  for (const name of request.unsubscribe ?? []) parts.push(textField(4, name));
  for (const [name, version] of request.initialVersions ?? []) {
    parts.push(lengthDelimited(5, Buffer.concat([textField(1, name), textField(2, version)])));
  }
  if (request.nonce !== undefined) parts.push(textField(6, request.nonce));
  if (request.refusal !== undefined) parts.push(lengthDelimited(7, status(request.refusal)));
  return Buffer.concat(parts);
}

/** An encoded `Node` as a field of a delta request, to be put before the others. */
export function nodeField(node: Buffer): Buffer {
  return lengthDelimited(1, node);
}

export interface SotwRequest {
  readonly typeUrl: string;
  /** An encoded `Node`. */
  readonly node?: Buffer | undefined;
  /** The version of the last response that was accepted. */
  readonly version: string;
  readonly names: Iterable<string>;
  readonly nonce: string;
  readonly refusal?: string;
}

export function encodeSotwRequest(request: SotwRequest): Buffer {
  const parts: Buffer[] = [];
  if (request.version !== "") parts.push(textField(1, request.version));
  if (request.node !== undefined) parts.push(lengthDelimited(2, request.node));
  for (const name of request.names) parts.push(textField(3, name));
  parts.push(textField(4, request.typeUrl));
  if (request.nonce !== "") parts.push(textField(5, request.nonce));
  if (request.refusal !== undefined) parts.push(lengthDelimited(6, status(request.refusal)));
  return Buffer.concat(parts);
}

/** google.rpc.Status with the code INTERNAL, which Envoy gives its refusals. */
function status(message: string): Buffer {
  return Buffer.concat([Buffer.of(0x08, 13), textField(2, message)]);
}

function textField(field: number, text: string): Buffer {
  return lengthDelimited(field, Buffer.from(text));
}

function lengthDelimited(field: number, content: Uint8Array): Buffer {
  const head = [field * 8 + 2];
  let length = content.length;
  for (; length >= 128; length = Math.floor(length / 128)) head.push((length % 128) | 128);
  head.push(length);
  return Buffer.concat([Buffer.from(head), content]);
}
