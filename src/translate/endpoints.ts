import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { EndpointAddress, EndpointsRecord } from "../mesh/mod.ts";
import { readEndpointPort, readEndpointTarget } from "./endpoint-slice.ts";
import { type Field, member, readList, requireString } from "./field.ts";
import { readAddress } from "./ip-address.ts";
import { type Translated, translateWith } from "./object-names.ts";

/** Endpoints (core/v1), often written by hand for a Service without selector. It belongs to the Service of its name. */
export function translateEndpoints(object: KubeObject, origin?: ObjectOrigin): Translated<EndpointsRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const subsets = readList(member(root, "subsets")).map((subset) => ({
      ports: readList(member(subset, "ports")).flatMap(readEndpointPort),
      endpoints: [
        ...readAddresses(member(subset, "addresses"), true, namespace),
        ...readAddresses(member(subset, "notReadyAddresses"), false, namespace),
      ],
    }));
    return { kind: "Endpoints", ref, createdAt, namespace, name, service: name, subsets };
  });
}

function readAddresses(list: Field, isReady: boolean, namespace: string): readonly EndpointAddress[] {
  return readList(list).map((item) => {
    const field = member(item, "ip");
    const address = requireString(field);
    return {
      addresses: [address === "" ? "" : readAddress(field, address)],
      isReady,
      ...readEndpointTarget(item, namespace),
    };
  });
}
