import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { EndpointPort, PodRecord } from "../mesh/mod.ts";
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
  rejectPart,
  shown,
} from "./field.ts";
import { readAddress } from "./ip-address.ts";
import { checkServiceAccountName, metadata, readHostname, type Translated, translateWith } from "./object-names.ts";

const PROXY_LABEL = "osm-proxy-uuid";
/** What Go's `strconv.ParseBool` takes for true. */
const TRUE_TEXTS = ["1", "t", "T", "true", "TRUE", "True"];

/** Pod (core/v1). */
export function translatePod(object: KubeObject, origin?: ObjectOrigin): Translated<PodRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    const labels = readStringMap(metadata(root, "labels"));
    const annotations = readStringMap(metadata(root, "annotations"));
    const phase = readString(memberAt(root, "status", "phase"));
    const proxyUuid = readProxyUuid(metadata(root, "labels"), labels[PROXY_LABEL]);
    return {
      kind: "Pod",
      ref,
      createdAt,
      namespace,
      name,
      serviceAccount: readServiceAccount(spec),
      labels,
      addresses: readAddresses(member(root, "status")),
      hostname: readHostname(member(spec, "hostname")),
      subdomain: readHostname(member(spec, "subdomain")),
      isHostNetwork: readBoolean(member(spec, "hostNetwork")) ?? false,
      isTerminated:
        phase === "Succeeded" || phase === "Failed" || metadata(root, "deletionTimestamp").value !== undefined,
      isScraped: TRUE_TEXTS.includes(annotations["prometheus.io/scrape"] ?? ""),
      ports: readList(member(spec, "containers")).flatMap(readContainerPorts),
      ...(proxyUuid === undefined ? {} : { proxyUuid }),
    };
  });
}

/** `serviceAccount` is the old name of `serviceAccountName`; without either the pod runs as `default`. */
function readServiceAccount(spec: Field): string {
  for (const field of [member(spec, "serviceAccountName"), member(spec, "serviceAccount")]) {
    const name = readString(field) ?? "";
    checkServiceAccountName(field, name);
    if (name !== "") return name;
  }
  return "default";
}

/** Client certificates are named `<uuid>.sidecar.<service account>…`, so a dot in the label could name another pod. */
function readProxyUuid(labels: Field, uuid: string | undefined): string | undefined {
  if (uuid === undefined || /^[A-Za-z0-9][-A-Za-z0-9_]{0,62}$/.test(uuid)) return uuid;
  const message = `The label ${PROXY_LABEL} is ${shown(uuid)}, so no proxy can be this pod's: use a UUID.`;
  rejectPart(member(labels, PROXY_LABEL), "proxy-uuid-invalid", message);
  return undefined;
}

function readAddresses(status: Field): readonly string[] {
  const fields = [member(status, "podIP"), ...readList(member(status, "podIPs")).map((item) => member(item, "ip"))];
  const addresses = new Set<string>();
  for (const field of fields) {
    const address = readString(field) ?? "";
    if (address === "") continue;
    addresses.add(readAddress(field, address));
  }
  return [...addresses];
}

function readContainerPorts(container: Field): readonly EndpointPort[] {
  return readList(member(container, "ports")).flatMap((item) => {
    const port = readPort(member(item, "containerPort"), true);
    const name = readString(member(item, "name")) ?? "";
    const transport = readOneOf(member(item, "protocol"), ["TCP", "UDP", "SCTP"]) ?? "TCP";
    return port === undefined || transport !== "TCP" ? [] : [{ name, port }];
  });
}
