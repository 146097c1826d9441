import type { ReceivedHeaders } from "./hpack-decoder.ts";

/** A request's headers, checked against RFC 9113 section 8.2 and 8.3. */
export interface RequestHeaders {
  readonly method: string;
  readonly path: string;
  /** All but pseudo-headers; fields of one name are joined by ", ", cookies by "; ". */
  readonly fields: ReadonlyMap<string, string>;
  /** What the body must add up to, where the client said so. */
  readonly contentLength: number | undefined;
}

/** tchar of RFC 9110 section 5.6.2 without upper case, which HTTP/2 forbids. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No control characters but tab, nothing blank at either end. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const VALUE = /^(?![\t ])[^\0-\x08\x0a-\x1f\x7f]*(?<![\t ])$/;

const CONNECTION_FIELDS = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);
const PSEUDO = new Set([":method", ":scheme", ":path", ":authority"]);
/** Fields of one block, however short. */
const FIELDS_MAX = 128;

/** Checks a request's header list; a string says why it is malformed. */
export function readRequestHeaders(headers: ReceivedHeaders): RequestHeaders | string {
  const pseudo = new Map<string, string>();
  let position = 0;
  for (; position < headers.length && headers[position]?.[0].startsWith(":"); position++) {
    const [name, value] = headers[position] as readonly [string, string];
    if (!PSEUDO.has(name)) return "an unknown pseudo-header";
    if (pseudo.has(name)) return `${name} twice`;
    if (!VALUE.test(value)) return `a value of ${name} with characters that may not be there`;
    pseudo.set(name, value);
  }
  const method = pseudo.get(":method") ?? "";
  const path = pseudo.get(":path") ?? "";
  const scheme = pseudo.get(":scheme") ?? "";
  if (method === "" || path === "" || scheme === "") return "no :method, :scheme or :path";
  if (!path.startsWith("/") && !(path === "*" && method === "OPTIONS")) return "a :path that does not begin with /";
  const fields = readFields(headers.slice(position));
  if (typeof fields === "string") return fields;
  const length = fields.get("content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return "a content-length that is no number";
  const contentLength = length === undefined ? undefined : Number(length);
  return { method, path, fields, contentLength };
}

/** Checks fields, of a request or its trailers, which have no pseudo-headers; a string says why they are malformed. */
export function readFields(headers: ReceivedHeaders): ReadonlyMap<string, string> | string {
  if (headers.length > FIELDS_MAX) return `more than ${FIELDS_MAX} header fields`;
  const fields = new Map<string, string>();
  for (const [name, value] of headers) {
    if (name.startsWith(":")) return "a pseudo-header where none may be";
    if (!NAME.test(name)) return "a header name with characters that may not be there";
    if (!VALUE.test(value)) return `a value of ${name} with characters that may not be there`;
    if (CONNECTION_FIELDS.has(name)) return `${name}, which HTTP/2 does not have`;
    if (name === "te" && value !== "trailers") return "te that is not trailers";
    const before = fields.get(name);
    if (before === undefined) fields.set(name, value);
    else fields.set(name, `${before}${name === "cookie" ? "; " : ", "}${value}`);
  }
  return fields;
}
