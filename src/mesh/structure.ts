import type { AddressClaims } from "./address-claims.ts";
import { keepElements, sameElements } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import type { MeshSettings } from "./records.ts";
import type { PortModel } from "./service-model.ts";

/**
 * What Services, splits and settings say, without endpoints, access and the shares of requests: the same object from
 * snapshot to snapshot while only those change.
 */
export interface MeshStructure {
  readonly settings: MeshSettings;
  readonly claims: AddressClaims;
  /** Of the whole mesh, by namespace and Service, in order; the same list while none differs. */
  readonly ports: readonly PortModel[];
  readonly inputs: readonly unknown[];
}

export function meshStructure(
  settings: MeshSettings,
  claims: AddressClaims,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  previous?: MeshStructure,
): MeshStructure {
  const models = [...namespaces.values()];
  const inputs: unknown[] = [settings, claims.shared, claims.remaining];
  for (const { namespace, ports, splits } of models) {
    inputs.push(namespace, ports, splits.layouts, splits.apexesByBackend);
  }
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const ports = keepElements(
    previous?.ports,
    models.flatMap((model) => model.ports),
  );
  return { settings, claims, ports, inputs };
}
