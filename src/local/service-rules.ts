import { contentHash } from "../lib/mod.ts";
import { GATEWAY } from "./network.ts";

/** A Service with a cluster IP, as packets see it. */
export interface RoutedService {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIp: string;
  readonly ports: readonly RoutedPort[];
}

export interface RoutedPort {
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  /** Ready ones only. Without any the port is refused at once. */
  readonly endpoints: readonly { readonly address: string; readonly port: number }[];
}

/** Marks what a pod sends to itself through a cluster IP: without another source address its answer would never return. */
const HAIRPIN_MARK = "0x4000";

/**
 * The hub's nat table for `services`, as input of iptables-restore: each connection to a cluster IP is sent to one of the
 * endpoints, all with the same probability, as kube-proxy's iptables mode does
 * (https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-iptables).
 */
export function serviceRules(services: readonly RoutedService[]): string {
  const chains: string[] = [];
  const rules: string[] = [];
  for (const { namespace, name, clusterIp, ports } of services) {
    for (const { protocol, port, endpoints } of ports) {
      if (endpoints.length === 0) continue;
      const transport = protocol.toLowerCase();
      const chain = `SVC-${contentHash(`${namespace}/${name}:${port}/${transport}`).slice(0, 16)}`;
      chains.push(chain);
      rules.push(`-A SERVICES -d ${clusterIp}/32 -p ${transport} -m ${transport} --dport ${port} -j ${chain}`);
      for (const [position, endpoint] of endpoints.entries()) {
        const left = endpoints.length - position;
        const chance = left === 1 ? "" : ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}`;
        const target = `${chain}-${position}`;
        chains.push(target);
        rules.push(
          `-A ${chain}${chance} -j ${target}`,
          `-A ${target} -s ${endpoint.address}/32 -j MARK --set-xmark ${HAIRPIN_MARK}/${HAIRPIN_MARK}`,
          `-A ${target} -p ${transport} -j DNAT --to-destination ${endpoint.address}:${endpoint.port}`,
        );
      }
    }
  }
  return [
    "*nat",
    ":SERVICES - [0:0]",
    ...chains.map((chain) => `:${chain} - [0:0]`),
    "-A PREROUTING -j SERVICES",
    "-A OUTPUT -j SERVICES",
    `-A POSTROUTING -m mark --mark ${HAIRPIN_MARK}/${HAIRPIN_MARK} -j SNAT --to-source ${GATEWAY}`,
    ...rules,
    "COMMIT",
    "",
  ].join("\n");
}
