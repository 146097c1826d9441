/**
 * Random worlds on loopback: pods and Services get addresses of 127.0.0.0/8, and ports become free ones of this machine.
 */
import type { MeshRecord, ProxyView, ResourceView } from "../../src/mesh/mod.ts";
import { freePorts } from "./proxies.ts";

/** Ports as `test/support/dense-world.ts` writes them. */
const SERVICE_PORTS = [80, 81] as const;
const TARGET_PORTS = [8080, 9090, 7070] as const;

export interface LoopbackPorts {
  /** Of Services. */
  readonly service: readonly number[];
  /** Of pods. */
  readonly target: readonly number[];
  /** The free port that stands for a port of the world. */
  of(port: number): number;
}

export async function loopbackPorts(): Promise<LoopbackPorts> {
  const written = [...SERVICE_PORTS, ...TARGET_PORTS];
  const free = await freePorts(written.length);
  const byWritten = new Map<number, number>(written.map((port, position) => [port, free[position] ?? 0]));
  return {
    service: free.slice(0, SERVICE_PORTS.length),
    target: free.slice(SERVICE_PORTS.length),
    of: (port) => byWritten.get(port) ?? port,
  };
}

/** 10.96.0.1 as 127.96.0.1. */
export function onLoopback(address: string): string {
  return address.replace(/^10\./, "127.");
}

/** A name with a port, or an address, as the loopback world writes it. */
export function translated(text: string, ports: LoopbackPorts): string {
  return onLoopback(text).replace(/:(\d+)$/, (_, port: string) => `:${ports.of(Number(port))}`);
}

export function translateRecords(records: readonly MeshRecord[], ports: LoopbackPorts): readonly MeshRecord[] {
  const asText = JSON.stringify(records);
  return JSON.parse(asText, (_key, value: unknown) => {
    if (typeof value === "number") return ports.of(value);
    return typeof value === "string" ? translated(value, ports) : value;
  }) as MeshRecord[];
}

/** Where the proxy at `position` takes what its pod dials: each has addresses of its own, since all share one machine. */
export function dialled(address: string, position: number): string {
  const [first, kind, ...rest] = address.split(".");
  return [first, (kind === "96" ? 100 : 200) + position, ...rest].join(".");
}

/**
 * A pod's view without interception: own addresses to dial, and nothing leaves the mesh, since what was dialled is the
 * proxy itself.
 */
export function withoutInterception(view: ProxyView, position: number): readonly ResourceView[] {
  return view.resources
    .filter(({ kind }) => kind !== "passthrough-cluster")
    .map((own) => {
      if (own.kind !== "outbound-listener") return own;
      const chains = own.chains.map((chain) => ({
        ...chain,
        addresses: chain.addresses.map((address) => dialled(address, position)),
      }));
      return { ...own, chains, isEgressEnabled: false };
    });
}
