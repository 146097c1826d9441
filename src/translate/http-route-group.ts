import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { HeaderMatch, HttpMatch, HttpRouteGroupRecord } from "../mesh/mod.ts";
import {
  checkObject,
  type Field,
  member,
  readList,
  readOneOf,
  readString,
  readStringMap,
  reject,
  requireString,
  shown,
} from "./field.ts";
import { type Translated, translateWith } from "./object-names.ts";
import { checkRegex } from "./re2-syntax.ts";

const METHODS = ["*", "GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;
/** A field name of RFC 9110 §5.1, or a pseudo header. */
const HEADER_NAME = /^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** HTTPRouteGroup (specs.smi-spec.io/v1alpha4). */
export function translateHttpRouteGroup(object: KubeObject, origin?: ObjectOrigin): Translated<HttpRouteGroupRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    checkObject(spec, true);
    const matches = readList(member(spec, "matches"), true).map(readMatch);
    return { kind: "HTTPRouteGroup", ref, createdAt, namespace, name, matches };
  });
}

function readMatch(field: Field): HttpMatch {
  const pathField = member(field, "pathRegex");
  const path = readString(pathField) ?? "";
  if (path !== "") checkRegex(pathField, path);
  const methods = readList(member(field, "methods")).flatMap((item) => {
    requireString(item);
    return readOneOf(item, METHODS) ?? [];
  });
  return {
    name: requireString(member(field, "name")),
    pathRegex: path === "" ? ".*" : path,
    methods: methods.length === 0 ? ["*"] : [...new Set(methods)],
    headers: readList(member(field, "headers")).flatMap(readHeader),
  };
}

/** One header to a list item, as the CRD's list of maps is read by SMI's own types. */
function readHeader(item: Field): readonly HeaderMatch[] {
  checkObject(item, true);
  const entries = Object.entries(readStringMap(item));
  if (entries.length > 1) {
    const message = `${item.path} has ${entries.length} keys (${shown(entries.map(([key]) => key))}): write one list item for each header.`;
    reject(item, "header-keys", message);
    return [];
  }
  return entries.map(([name, regex]) => {
    if (!HEADER_NAME.test(name)) {
      reject(item, "header-name-invalid", `${item.path} names the header ${shown(name)}, which is no HTTP field name.`);
    }
    checkRegex(member(item, name), regex);
    return { name: name.toLowerCase(), regex };
  });
}
