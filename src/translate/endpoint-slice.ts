import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { EndpointAddress, EndpointPort, EndpointsRecord } from "../mesh/mod.ts";
import {
  type Field,
  member,
  memberAt,
  readBoolean,
  readList,
  readOneOf,
  readPort,
  readString,
  readStringMap,
  readStrings,
  reject,
  rejectPart,
} from "./field.ts";
import { readAddress } from "./ip-address.ts";
import { metadata, readHostname, type Translated, translateWith } from "./object-names.ts";

const SERVICE_LABEL = "kubernetes.io/service-name";

/** EndpointSlice (discovery.k8s.io/v1). */
export function translateEndpointSlice(object: KubeObject, origin?: ObjectOrigin): Translated<EndpointsRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const labels = metadata(root, "labels");
    const service = readStringMap(labels)[SERVICE_LABEL] ?? "";
    if (service === "") {
      reject(labels, "field-required", `The label ${SERVICE_LABEL} is missing: it names the Service of the endpoints.`);
    }
    const type = readOneOf(member(root, "addressType"), ["IPv4", "IPv6", "FQDN"]);
    if (type === "FQDN") {
      rejectPart(
        member(root, "addressType"),
        "address-type-unsupported",
        "FQDN endpoints have no address to connect to.",
      );
    }
    const endpoints =
      type === "FQDN" ? [] : readList(member(root, "endpoints")).map((item) => readEndpoint(item, namespace));
    const ports = readList(member(root, "ports")).flatMap(readEndpointPort);
    return { kind: "EndpointSlice", ref, createdAt, namespace, name, service, subsets: [{ ports, endpoints }] };
  });
}

function readEndpoint(item: Field, namespace: string): EndpointAddress {
  const list = member(item, "addresses");
  const addresses = readStrings(list).map((address) => readAddress(list, address));
  // An unknown readiness counts as ready (API reference, `EndpointConditions.ready`).
  const isReady = readBoolean(memberAt(item, "conditions", "ready")) ?? true;
  return { addresses, isReady, ...readEndpointTarget(item, namespace) };
}

/** Host name and pod of an endpoint, for slices and Endpoints alike. */
export function readEndpointTarget(item: Field, namespace: string): Pick<EndpointAddress, "hostname" | "pod"> {
  const hostname = readHostname(member(item, "hostname"));
  const target = member(item, "targetRef");
  const isPod = readString(member(target, "kind")) === "Pod";
  const isLocal = (readString(member(target, "namespace")) ?? namespace) === namespace;
  const pod = readString(member(target, "name")) ?? "";
  return { ...(hostname === "" ? {} : { hostname }), ...(isPod && isLocal && pod !== "" ? { pod } : {}) };
}

/** A TCP port of endpoints; other transports and ports left open carry no mesh traffic. */
export function readEndpointPort(item: Field): readonly EndpointPort[] {
  const port = readPort(member(item, "port"));
  const name = readString(member(item, "name")) ?? "";
  const transport = readOneOf(member(item, "protocol"), ["TCP", "UDP", "SCTP"]) ?? "TCP";
  return port === undefined || transport !== "TCP" ? [] : [{ name, port }];
}
