import { type AddressClaims, addressKey } from "./address-claims.ts";
import type { ServiceProtocol } from "./records.ts";
import { joinedLabel } from "./resource-names.ts";
import type { PortModel } from "./service-model.ts";

/** The ports that one outbound filter chain serves, and the addresses by which it is found. */
export interface ChainGroup {
  readonly namespace: string;
  readonly label: string;
  readonly port: number;
  readonly protocol: ServiceProtocol;
  /** Sorted, never empty. */
  readonly addresses: readonly string[];
  /** The first one decides where there can be only one answer. All of one namespace and of one kind of protocol. */
  readonly claimants: readonly [PortModel, ...PortModel[]];
}

/**
 * The filter chains for what one client sees: no two match the same port and address. Ports that share only some of
 * their addresses are served by a chain for those, and each by a chain of its own for the rest.
 */
export function chainGroups(claims: AddressClaims, visible: readonly PortModel[]): readonly ChainGroup[] {
  const isVisible = claims.sharing.size === 0 ? undefined : new Set(visible);
  const groups: ChainGroup[] = [];
  for (const port of visible) {
    const addresses = claims.remaining.get(port) ?? port.addresses;
    if (addresses.length === 0) continue;
    if (isVisible === undefined || !claims.sharing.has(port)) groups.push(groupOf([port], addresses));
    else groups.push(...sharedGroups(claims, port, addresses, isVisible));
  }
  return groups;
}

/** The groups in which `port` comes first; the others are found from their own first port. */
function sharedGroups(
  claims: AddressClaims,
  port: PortModel,
  addresses: readonly string[],
  isVisible: ReadonlySet<PortModel>,
): readonly ChainGroup[] {
  const found = new Map<string, { claimants: [PortModel, ...PortModel[]]; addresses: string[] }>();
  for (const address of addresses) {
    const claimants = (claims.shared.get(addressKey(port.port, address)) ?? [port]).filter((other) =>
      isVisible.has(other),
    );
    const [first, ...others] = claimants;
    if (first !== port) continue;
    const key = joinedLabel(claimants.map((claimant) => claimant.label));
    const group = found.get(key);
    if (group === undefined) found.set(key, { claimants: [first, ...others], addresses: [address] });
    else group.addresses.push(address);
  }
  return [...found.values()].map((group) => groupOf(group.claimants, group.addresses));
}

function groupOf(claimants: readonly [PortModel, ...PortModel[]], addresses: readonly string[]): ChainGroup {
  const [first] = claimants;
  return {
    namespace: first.namespace,
    label: groupLabel(claimants),
    port: first.port,
    protocol: first.protocol,
    addresses,
    claimants,
  };
}

/** A pod of a StatefulSet always shares its address with its whole Service, which therefore adds nothing to the label. */
function groupLabel(claimants: readonly PortModel[]): string {
  const hosted = new Set(claimants.filter(({ host }) => host !== undefined).map(({ service }) => service));
  const named = claimants.filter(({ host, service }) => host !== undefined || !hosted.has(service));
  return joinedLabel(named.map(({ label }) => label));
}
