import type { AddressClaims } from "./address-claims.ts";
import { keepElements, sameElements } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import type { MeshSettings } from "./records.ts";
import type { PortModel } from "./service-model.ts";
import type { SplitPolicy } from "./split-policy.ts";

/**
 * What Services, splits and settings say, without endpoints and access: the same object from snapshot to snapshot while
 * only those change.
 */
export interface MeshStructure {
  readonly settings: MeshSettings;
  readonly claims: AddressClaims;
  /** Of the whole mesh, by namespace and Service, in order; the same list while none differs. */
  readonly ports: readonly PortModel[];
  readonly splits: ReadonlyMap<string, SplitPolicy>;
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
  for (const model of models) inputs.push(model.namespace, model.ports, model.splits);
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const ports = keepElements(
    previous?.ports,
    models.flatMap((model) => model.ports),
  );
  const splits = new Map(models.map((model) => [model.namespace, model.splits]));
  return { settings, claims, ports, splits, inputs };
}
