import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { TcpRouteRecord } from "../mesh/mod.ts";
import { checkObject, member, readList, readPort } from "./field.ts";
import { type Translated, translateWith } from "./object-names.ts";

/** TCPRoute (specs.smi-spec.io/v1alpha4). */
export function translateTcpRoute(object: KubeObject, origin?: ObjectOrigin): Translated<TcpRouteRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    const matches = member(spec, "matches");
    if (checkObject(spec, true)) checkObject(matches, true);
    const ports = readList(member(matches, "ports"), true).map((item) => readPort(item, true) ?? 0);
    return { kind: "TCPRoute", ref, createdAt, namespace, name, ports: [...new Set(ports)] };
  });
}
