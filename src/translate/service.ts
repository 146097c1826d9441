import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { ServicePort, ServiceProtocol, ServiceRecord } from "../mesh/mod.ts";
import {
  type Field,
  member,
  readInteger,
  readList,
  readOneOf,
  readPort,
  readString,
  readStringMap,
  readStrings,
  reject,
  rejectPart,
  shown,
} from "./field.ts";
import { readAddress } from "./ip-address.ts";
import { type Translated, translateWith } from "./object-names.ts";

/** In the order in which port names are tried: `tcp-server-first-` also starts with `tcp-`. */
const PROTOCOLS: readonly ServiceProtocol[] = ["tcp-server-first", "http", "tcp", "grpc"];

/** Service (core/v1): ClusterIP, headless, with or without selector. */
export function translateService(object: KubeObject, origin?: ObjectOrigin): Translated<ServiceRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    const clusterIp = readString(member(spec, "clusterIP")) ?? "";
    const selector = readStringMap(member(spec, "selector"));
    const isExternal = readString(member(spec, "type")) === "ExternalName";
    return {
      kind: "Service",
      ref,
      createdAt,
      namespace,
      name,
      isHeadless: clusterIp === "None",
      clusterIps: isExternal ? [] : readClusterIps(spec, clusterIp),
      ports: readPorts(member(spec, "ports")),
      ...(Object.keys(selector).length === 0 || isExternal ? {} : { selector }),
    };
  });
}

function readClusterIps(spec: Field, clusterIp: string): readonly string[] {
  const all = readStrings(member(spec, "clusterIPs"));
  const addresses = [...new Set([clusterIp, ...all])].filter((address) => address !== "" && address !== "None");
  return [...new Set(addresses.map((address) => readAddress(member(spec, "clusterIP"), address)))];
}

function readPorts(list: Field): readonly ServicePort[] {
  const items = readList(list);
  const seen = new Set<string>();
  return items.map((item) => {
    const name = readString(member(item, "name")) ?? "";
    const port = readPort(member(item, "port"), true) ?? 0;
    const transport = readOneOf(member(item, "protocol"), ["TCP", "UDP", "SCTP"]) ?? "TCP";
    if (items.length > 1 && name === "") {
      reject(
        member(item, "name"),
        "field-required",
        `${item.path}.name is missing: each of several ports needs a name.`,
      );
    }
    for (const key of [`name ${name}`, `${transport} ${port}`]) {
      if (seen.has(key))
        reject(item, "port-duplicate", `${item.path} repeats ${key}: ports and their names are unique.`);
      seen.add(key);
    }
    const protocol = transport === "TCP" ? readProtocol(item, name) : undefined;
    return { name, port, targetPort: readTargetPort(item) ?? port, ...(protocol === undefined ? {} : { protocol }) };
  });
}

function readTargetPort(item: Field): number | string | undefined {
  const field = member(item, "targetPort");
  if (typeof field.value !== "string") return readInteger(field) === undefined ? undefined : readPort(field);
  if (field.value !== "") return field.value;
  return undefined;
}

/**
 * `appProtocol`, else the prefix of the port's name, else http (OSM v1.2.4 `ServiceToMeshServices`). A port whose
 * `appProtocol` the mesh does not know gets no configuration.
 */
function readProtocol(item: Field, name: string): ServiceProtocol | undefined {
  const field = member(item, "appProtocol");
  const appProtocol = readString(field);
  if (appProtocol === undefined) return PROTOCOLS.find((protocol) => name.startsWith(`${protocol}-`)) ?? "http";
  const known = PROTOCOLS.find((protocol) => protocol === appProtocol);
  if (known === undefined) {
    const message = `${field.path} is ${shown(appProtocol)}, so the mesh does not serve this port: use ${PROTOCOLS.join(", ")}.`;
    rejectPart(field, "app-protocol-unknown", message);
  }
  return known;
}
