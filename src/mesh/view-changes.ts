/** What may differ between two snapshots: an index from changed records to the parts of views that they concern. */
import type { AccessGrant } from "./access-policy.ts";
import { sameContent } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import { outboundOwner } from "./outbound-ports.ts";
import { scopedNamespaces, scopeOf } from "./outbound-scope.ts";
import { lacksEndpoint, type PortModel, type ServiceModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { PortSplit } from "./split-policy.ts";
import { type PartStage, partKey } from "./view-part.ts";
import { findPort, grantsTo } from "./visible-services.ts";

/**
 * Parts of views that may differ. More than really do does no harm, for parts are compared by content; one too few is a
 * proxy that misses an update.
 */
export interface ViewChanges {
  /** All parts of these stages. */
  readonly stages: ReadonlySet<PartStage>;
  /** Further parts, by key. */
  readonly parts: ReadonlySet<string>;
  /** Namespaces whose pods may have another class. */
  readonly namespaces: ReadonlySet<string>;
  /** The mode may differ, or which namespaces have a scope, so that classes may consist of other parts. */
  readonly hasOtherParts: boolean;
  /** Some Service has lost an endpoint. */
  readonly losesEndpoints: boolean;
}

const ALL_STAGES: readonly PartStage[] = ["base", "endpoints", "routes", "inbound"];
const OUTBOUND_STAGES: readonly PartStage[] = ["base", "endpoints", "routes"];

const NO_NAMESPACES: MeshSnapshot["namespaces"] = new Map<string, never>();

interface Found {
  readonly stages: Set<PartStage>;
  readonly parts: Set<string>;
  readonly namespaces: Set<string>;
  losesEndpoints: boolean;
}

/** Compares two snapshots of one store. Costs what the namespaces that changed hold. */
export function viewChanges(before: MeshSnapshot | undefined, after: MeshSnapshot): ViewChanges {
  const found: Found = { stages: new Set(), parts: new Set(), namespaces: new Set(), losesEndpoints: false };
  if (before === after) return { ...found, hasOtherParts: false };
  const isAllNew = before === undefined || before.settings !== after.settings;
  if (isAllNew || haveClaimsChanged(before, after)) for (const stage of ALL_STAGES) found.stages.add(stage);
  const both = { before, after };
  if (before?.namespaces !== after.namespaces) {
    const earlierOnes = before?.namespaces ?? NO_NAMESPACES;
    let kept = 0;
    for (const [namespace, model] of after.namespaces) {
      const earlier = earlierOnes.get(namespace);
      if (earlier !== undefined) kept += 1;
      if (earlier !== model) compareNamespace({ ...both, namespace, earlier, model }, found);
    }
    if (kept < earlierOnes.size) {
      for (const [namespace, earlier] of earlierOnes) {
        if (!after.namespaces.has(namespace))
          compareNamespace({ ...both, namespace, earlier, model: undefined }, found);
      }
    }
  }
  const hasOtherParts = isAllNew || compareScopes(before, after, found);
  return { ...found, hasOtherParts };
}

/** Notes the parts of namespaces whose scope differs; true when some have one now and had none before, or the reverse. */
function compareScopes(before: MeshSnapshot, after: MeshSnapshot, found: Found): boolean {
  const [old, now] = [scopedNamespaces(before), scopedNamespaces(after)];
  if (old === now) return false;
  let hasOtherParts = false;
  for (const namespace of new Set([...old.keys(), ...now.keys()])) {
    const [earlier, entries] = [old.get(namespace), now.get(namespace)];
    if (sameContent(earlier, entries)) continue;
    hasOtherParts ||= earlier === undefined || entries === undefined;
    for (const stage of OUTBOUND_STAGES) found.parts.add(partKey(stage, namespace));
  }
  return hasOtherParts;
}

function haveClaimsChanged(before: MeshSnapshot, after: MeshSnapshot): boolean {
  return before.claims.shared !== after.claims.shared || before.claims.remaining !== after.claims.remaining;
}

interface Comparison {
  readonly before: MeshSnapshot | undefined;
  readonly after: MeshSnapshot;
  readonly namespace: string;
  readonly earlier: NamespaceModel | undefined;
  readonly model: NamespaceModel | undefined;
}

function compareNamespace(comparison: Comparison, found: Found): void {
  const { namespace, earlier, model, after } = comparison;
  if (earlier?.membership.roster !== model?.membership.roster || earlier?.workloads !== model?.workloads) {
    found.namespaces.add(namespace);
  }
  // Everything is looked at anyway.
  if (earlier === undefined && found.stages.size === ALL_STAGES.length) return;
  const accounts = new Set<string>();
  const havePortsChanged = comparePorts(comparison, accounts, found);
  const routeAccounts = new Set<string>();
  const splits = compareSplits(comparison, accounts, routeAccounts);
  const endpointAccounts = new Set<string>();
  const haveEndpointsChanged = compareEndpoints(comparison, endpointAccounts, found);
  if (havePortsChanged || earlier?.splits.apexesByBackend !== model?.splits.apexesByBackend)
    addInbound(comparison, found);
  if (after.settings.isPermissive) {
    // In a scope, backends come and go with their split.
    if (havePortsChanged || splits.hasOtherLayout) addEverybody(comparison, OUTBOUND_STAGES, found);
    else if (splits.hasOtherRoutes) addEverybody(comparison, ["routes"], found);
    if (haveEndpointsChanged) addEverybody(comparison, ["endpoints"], found);
    return;
  }
  addClients(comparison, accounts, OUTBOUND_STAGES, found);
  addClients(comparison, routeAccounts, ["routes"], found);
  addClients(comparison, endpointAccounts, ["endpoints"], found);
  compareGrants(comparison, found);
}

/** In permissive mode: the outbound side of all namespaces but those whose scope does not reach this one. */
function addEverybody({ after, namespace }: Comparison, stages: readonly PartStage[], found: Found): void {
  const scopes = scopedNamespaces(after);
  if (scopes.size === 0) {
    for (const stage of stages) found.stages.add(stage);
    return;
  }
  for (const client of after.namespaces.keys()) {
    if (client !== namespace && scopeOf(after, client)?.has(namespace) === false) continue;
    const { visibility, routes } = outboundOwner(after, { namespace: client, serviceAccount: "" });
    for (const stage of stages) found.parts.add(partKey(stage, stage === "routes" ? routes : visibility));
  }
}

function inOneOnly<T>(left: readonly T[], right: readonly T[]): ReadonlySet<T> {
  const found = new Set(left);
  for (const element of right) if (!found.delete(element)) found.add(element);
  return found;
}

/** Collects the service accounts behind ports that differ. */
function comparePorts(comparison: Comparison, accounts: Set<string>, found: Found): boolean {
  const { earlier, model, before, after } = comparison;
  if (earlier?.ports === model?.ports) return false;
  const differing = [...inOneOnly(earlier?.ports ?? [], model?.ports ?? [])];
  addAccounts(differing, accounts);
  // What egress must not pass through is part of everybody's listener.
  if (after.settings.isEgressEnabled && differing.some(({ protocol }) => !isHttp(protocol))) found.stages.add("base");
  // A client sees an apex and all its backends by a right to any of them.
  const keys = new Set(differing.map(({ key }) => key));
  for (const [snapshot, side] of [[before, earlier] as const, [after, model] as const]) {
    for (const [apexKey, split] of side?.splits.byApex ?? []) {
      const ports = portsOfSplit(snapshot, side, apexKey, split);
      if (keys.has(apexKey) || ports.some(({ key }) => keys.has(key))) addAccounts(ports, accounts);
    }
  }
  return true;
}

/**
 * Collects the service accounts behind the apexes and backends of splits that differ, apart those of splits of which only
 * routes can tell.
 */
function compareSplits({ before, after, earlier, model }: Comparison, accounts: Set<string>, routes: Set<string>) {
  const [old, now] = [earlier?.splits, model?.splits];
  const differ = { hasOtherLayout: false, hasOtherRoutes: old?.byApex !== now?.byApex };
  if (!differ.hasOtherRoutes) return differ;
  for (const key of new Set([...(old?.byApex.keys() ?? []), ...(now?.byApex.keys() ?? [])])) {
    const [left, right] = [old?.byApex.get(key), now?.byApex.get(key)];
    if (left === right) continue;
    const isSameLayout = old?.layouts.get(key) === now?.layouts.get(key);
    differ.hasOtherLayout ||= !isSameLayout;
    addAccounts(portsOfSplit(before, earlier, key, left), isSameLayout ? routes : accounts);
    addAccounts(portsOfSplit(after, model, key, right), isSameLayout ? routes : accounts);
  }
  return differ;
}

/** The apex and the ports of its backends, whatever their numbers. */
function portsOfSplit(
  snapshot: MeshSnapshot | undefined,
  model: NamespaceModel | undefined,
  apexKey: string,
  split: PortSplit | undefined,
): readonly PortModel[] {
  if (snapshot === undefined || model === undefined) return [];
  const apex = findPort(snapshot, apexKey);
  const backends = (split?.backends ?? []).flatMap((backend) => model.services.get(backend)?.ports ?? []);
  return apex === undefined ? backends : [apex, ...backends];
}

function addAccounts(ports: readonly PortModel[], accounts: Set<string>): void {
  for (const port of ports) for (const account of port.accounts) accounts.add(account);
}

/** Collects the service accounts behind Services whose ready endpoints differ. */
function compareEndpoints({ earlier, model }: Comparison, accounts: Set<string>, found: Found): boolean {
  if (earlier?.services === model?.services) return false;
  let hasChanged = false;
  for (const [name, service] of model?.services ?? []) {
    const old = earlier?.services.get(name);
    if (old?.endpoints === service.endpoints) continue;
    hasChanged = true;
    addAccounts(service.ports, accounts);
    found.losesEndpoints ||= old !== undefined && losesEndpoint(old, service);
  }
  return hasChanged || earlier?.services.size !== model?.services.size;
}

function losesEndpoint(old: ServiceModel, now: ServiceModel): boolean {
  for (const [cluster, endpoints] of old.endpoints) {
    if (lacksEndpoint(endpoints, now.endpoints.get(cluster) ?? [])) return true;
  }
  return false;
}

/** The outbound side of everybody who has a right to one of these accounts of the namespace. Rights that come or go are compared apart. */
function addClients(
  { after, namespace }: Comparison,
  accounts: ReadonlySet<string>,
  stages: readonly PartStage[],
  found: Found,
): void {
  for (const serviceAccount of accounts) {
    for (const grant of grantsTo(after, { namespace, serviceAccount })) addSources(grant, stages, found);
  }
}

function addSources({ sources }: AccessGrant, stages: readonly PartStage[], found: Found): void {
  for (const { namespace, name } of sources) addOutbound(`${namespace}/${name}`, stages, found);
}

function addOutbound(owner: string, stages: readonly PartStage[], found: Found): void {
  for (const stage of stages) found.parts.add(partKey(stage, owner));
}

/** The order of grants tells on the inbound side alone. */
function compareGrants({ earlier, model }: Comparison, found: Found): void {
  const [old, now] = [earlier?.access.grants ?? [], model?.access.grants ?? []];
  if (old === now) return;
  const differing = inOneOnly(old, now);
  compareSources(Map.groupBy(differing, ({ name }) => name).values(), found);
  const inbound = haveSameOrder(old, now, differing) ? differing : [...old, ...now];
  const destinations = new Set<string>();
  for (const { destination } of inbound) destinations.add(destination);
  for (const { key, serviceAccount } of model?.workloads.classes.values() ?? []) {
    if (destinations.has(serviceAccount)) found.parts.add(partKey("inbound", key));
  }
}

/** The outbound side of those whose rights differ: of a grant that reaches as far as before, sources that came or went. */
function compareSources(changes: Iterable<readonly AccessGrant[]>, found: Found): void {
  for (const [first, second] of changes) {
    if (first === undefined) continue;
    if (second?.reach !== first.reach) {
      addSources(first, OUTBOUND_STAGES, found);
      if (second !== undefined) addSources(second, OUTBOUND_STAGES, found);
      continue;
    }
    for (const owner of inOneOnly(sourceNames(first), sourceNames(second))) addOutbound(owner, OUTBOUND_STAGES, found);
  }
}

function sourceNames({ sources }: AccessGrant): readonly string[] {
  return [...new Set(sources.map(({ namespace, name }) => `${namespace}/${name}`))];
}

/** Whether the grants that stand in both lists stand in one order. */
function haveSameOrder(
  old: readonly AccessGrant[],
  now: readonly AccessGrant[],
  differing: ReadonlySet<AccessGrant>,
): boolean {
  const rest = now.filter((grant) => !differing.has(grant));
  return old.filter((grant) => !differing.has(grant)).every((grant, position) => grant === rest[position]);
}

function addInbound({ model }: Comparison, found: Found): void {
  for (const key of model?.workloads.classes.keys() ?? []) found.parts.add(partKey("inbound", key));
}
