import type { AccessGrant } from "./access-policy.ts";
import type { AddressClaims } from "./address-claims.ts";
import { sameElements } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import { createOnce, type Once } from "./once.ts";
import type { MeshSettings } from "./records.ts";
import type { PortModel } from "./service-model.ts";
import type { SplitPolicy } from "./split-policy.ts";

/**
 * What Services, splits and settings say, without endpoints and access: the same object from snapshot to snapshot while
 * only those change, so that what is derived from it is derived once.
 */
export interface MeshStructure {
  readonly settings: MeshSettings;
  readonly claims: AddressClaims;
  /** Of the whole mesh, by namespace and Service, in order. */
  readonly ports: readonly PortModel[];
  readonly splits: ReadonlyMap<string, SplitPolicy>;
  readonly derived: Once;
}

/** What TrafficTargets say; the same object while it is the same. */
export interface MeshAccess {
  /** None in permissive mode, in which they have no effect. */
  readonly grants: readonly AccessGrant[];
  readonly derived: Once;
}

export function meshStructure(
  settings: MeshSettings,
  claims: AddressClaims,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  previous?: MeshStructure,
): MeshStructure {
  const models = [...namespaces.values()];
  const ports = models.flatMap((model) => [...model.services.values()].flatMap((service) => service.ports));
  const splits = new Map(models.map((model) => [model.namespace, model.splits]));
  const isSame =
    previous?.settings === settings &&
    previous.claims.shared === claims.shared &&
    previous.claims.remaining === claims.remaining &&
    sameElements(previous.ports, ports) &&
    sameElements([...previous.splits.keys()], [...splits.keys()]) &&
    sameElements([...previous.splits.values()], [...splits.values()]);
  return isSame ? previous : { settings, claims, ports, splits, derived: createOnce() };
}

export function meshAccess(
  settings: MeshSettings,
  namespaces: ReadonlyMap<string, NamespaceModel>,
  previous?: MeshAccess,
): MeshAccess {
  const grants = settings.isPermissive ? [] : [...namespaces.values()].flatMap((model) => model.access.grants);
  return previous !== undefined && sameElements(previous.grants, grants) ? previous : { grants, derived: createOnce() };
}
