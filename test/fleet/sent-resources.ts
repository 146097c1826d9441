/** A proxy's resources as the control plane makes them, and lies to plant in them. */
import { createHash } from "node:crypto";
import { envoy } from "../../proto/gen/envoy.js";
import { generate } from "../../src/envoy/mod.ts";
import type { ProxyTable } from "../../src/fleet/fleet-api.ts";
import { TYPE_URL, World } from "../../src/fleet/mod.ts";
import { compareTables } from "../../src/fleet/oracle.ts";
import { Differences } from "../../src/fleet/oracle-differences.ts";
import { type Expectation, expectations } from "../../src/fleet/oracle-expectation.ts";
import { INBOUND_LISTENER, INBOUND_ROUTE } from "../../src/fleet/oracle-names.ts";
import { createMeshStore } from "../../src/mesh/mod.ts";
import { createTranslation } from "../../src/translate/mod.ts";
import { viewOfPod } from "../support/mesh.ts";

const { Cluster } = envoy.config.cluster.v3;
const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { DownstreamTlsContext, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

export const shape = {
  services: 4,
  pods: 2,
  namespaces: 2,
  mode: "smi",
  calls: { kind: "groups", size: 2 },
  splits: 1,
  seed: 1,
} as const;

/** What the control plane sends the first pod of a service, and what could be wrong with it. */
export class Sent {
  readonly contents = new Map<string, Uint8Array>();

  constructor(world: World, service = 0) {
    const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
    const objects = world.objects().map((object) => ({ object }));
    const store = createMeshStore();
    store.apply(translation.apply([{ type: "reset", source: "test", objects }]));
    const pod = world.podsOf(service)[0];
    const view = viewOfPod(store.snapshot(), pod?.namespace ?? "", pod?.name ?? "");
    for (const { typeUrl, name, bytes } of view.resources.map(generate)) this.contents.set(`${typeUrl} ${name}`, bytes);
    for (const name of ["root-cert", "service-cert"]) this.contents.set(`${TYPE_URL.secret} ${name}`, new Uint8Array());
  }

  setEndpoints(name: string, addresses: readonly string[]): void {
    const lbEndpoints = addresses.map((each) => {
      const [address = "", port] = each.split(":");
      return { endpoint: { address: { socketAddress: { address, portValue: Number(port) } } } };
    });
    this.#set(TYPE_URL.endpoints, name, ClusterLoadAssignment.encode({ endpoints: [{ lbEndpoints }] }).finish());
  }

  setWeights(name: string, weights: ReadonlyMap<string, number>): void {
    const clusters = [...weights].map(([cluster, value]) => ({ name: cluster, weight: { value } }));
    this.editRoutes(name, (hosts) => {
      for (const { routes } of hosts) for (const each of routes ?? []) each.route = { weightedClusters: { clusters } };
    });
  }

  setPeers(name: string, peers: readonly string[]): void {
    this.editUpstreamTls(name, ({ commonTlsContext }) => {
      const validation = commonTlsContext?.combinedValidationContext?.defaultValidationContext;
      if (validation) validation.matchTypedSubjectAltNames = peers.map((exact) => ({ sanType: 2, matcher: { exact } }));
    });
  }

  setRules({ principals: names, paths }: Pick<Expectation, "principals" | "paths">): void {
    const principals = names?.map((exact) => ({ authenticated: { principalName: { exact } } }));
    const value = RBACPerRoute.encode({ rbac: { rules: { policies: { allowed: { principals } } } } } as never).finish();
    const typedPerFilterConfig = names === undefined ? {} : { "envoy.filters.http.rbac": { value } };
    const matches = paths?.map((regex) => ({ safeRegex: { regex } })) ?? [{ prefix: "" }];
    this.editRoutes(INBOUND_ROUTE, (hosts) => {
      for (const host of hosts) host.routes = matches.map((match) => ({ match, typedPerFilterConfig }));
    });
  }

  editRoutes(name: string, edit: (hosts: VirtualHosts) => void): void {
    this.edit(TYPE_URL.route, name, RouteConfiguration, (table) => edit(table.virtualHosts ?? []));
  }

  editCluster(name: string, edit: (cluster: InstanceType<typeof Cluster>) => void): void {
    this.edit(TYPE_URL.cluster, name, Cluster, edit);
  }

  editUpstreamTls(name: string, edit: (context: InstanceType<typeof UpstreamTlsContext>) => void): void {
    this.editCluster(name, ({ transportSocket }) => editPacked(transportSocket, UpstreamTlsContext, edit));
  }

  editListener(name: string, edit: (listener: InstanceType<typeof Listener>) => void): void {
    this.edit(TYPE_URL.listener, name, Listener, edit);
  }

  editChain(name: string, edit: (chain: Chain) => void): void {
    this.editListener(name, ({ filterChains: [chain] }) => edit(chain as Chain));
  }

  editDownstreamTls(edit: (context: InstanceType<typeof DownstreamTlsContext>) => void): void {
    this.editChain(INBOUND_LISTENER, ({ transportSocket }) => editPacked(transportSocket, DownstreamTlsContext, edit));
  }

  remove(typeUrl: string, name: string): void {
    this.contents.delete(`${typeUrl} ${name}`);
  }

  table(id: number): ProxyTable {
    const types: Record<string, { digest: string; names: Map<string, string> }> = {};
    for (const typeUrl of Object.values(TYPE_URL)) {
      const own = [...this.contents].filter(([key]) => key.startsWith(`${typeUrl} `));
      const names = new Map(own.map(([key, bytes]) => [key.slice(typeUrl.length + 1), hashOf(bytes)]));
      types[typeUrl] = { digest: hashOf(new TextEncoder().encode(JSON.stringify([...names]))), names };
    }
    return { id, types };
  }

  edit<T>(typeUrl: string, name: string, type: Message<T>, edit: (message: T) => void): void {
    const message = type.decode(this.contents.get(`${typeUrl} ${name}`) ?? new Uint8Array());
    edit(message);
    this.#set(typeUrl, name, type.encode(message).finish());
  }

  #set(typeUrl: string, name: string, bytes: Uint8Array): void {
    this.contents.set(`${typeUrl} ${name}`, bytes);
  }
}

interface Message<T> {
  decode(bytes: Uint8Array): T;
  encode(message: T): { finish(): Uint8Array };
}

type Chain = InstanceType<typeof Listener>["filterChains"][number];
type VirtualHosts = InstanceType<typeof RouteConfiguration>["virtualHosts"];

export function editPacked<T>(
  extension: { typedConfig?: { value?: Uint8Array | null } | null } | null | undefined,
  type: Message<T>,
  edit: (message: T) => void,
): void {
  const packed = extension?.typedConfig;
  if (!packed?.value) throw new Error("there is no packed message");
  const message = type.decode(packed.value);
  edit(message);
  packed.value = type.encode(message).finish();
}

type Route = NonNullable<VirtualHosts[number]["routes"]>[number];

export function setCluster(route: Route | undefined, cluster: string): void {
  Object.assign(route?.route ?? {}, { cluster });
}

export function setHost(route: Route | undefined, hostRewriteLiteral: string): void {
  Object.assign(route?.route ?? {}, { hostRewriteLiteral });
}

export function editRules(route: Route | undefined, edit: (principals: object[]) => void): void {
  const typedConfig = route?.typedPerFilterConfig?.["envoy.filters.http.rbac"];
  editPacked({ typedConfig: typedConfig ?? null }, RBACPerRoute, ({ rbac }) => {
    for (const { principals } of Object.values(rbac?.rules?.policies ?? {})) edit(principals ?? []);
  });
}

type CommonTls = InstanceType<typeof UpstreamTlsContext>["commonTlsContext"];

export function setSecret(context: CommonTls, name: string): void {
  Object.assign(context?.tlsCertificateSdsSecretConfigs?.[0] ?? {}, { name });
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What the oracle says of service 0 when this was changed in what its proxy has. */
export function judged(change: (sent: Sent, expectation: Expectation) => void): Promise<readonly string[]> {
  const world = new World(shape);
  const expectation = expectations(world)(0);
  const sent = new Sent(world);
  change(sent, expectation);
  return differencesOf(sent, expectation);
}

/** What the oracle says of a proxy that has this. */
export async function differencesOf(sent: Sent, expectation: Expectation): Promise<readonly string[]> {
  const differences = new Differences();
  const fetch = async (_: number, typeUrl: string, name: string) => sent.contents.get(`${typeUrl} ${name}`);
  await compareTables([sent.table(0)], new Map([[0, { name: "pod", expectation }]]), fetch, differences);
  return differences.sentences();
}
