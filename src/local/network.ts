import { writeFile } from "node:fs/promises";
import { runCommand } from "./command.ts";

/**
 * The network of one served folder: a hub namespace and one namespace a pod, joined by a veth pair each and routed point
 * to point. There is no bridge: every packet passes the hub's routing, so that its translation of cluster IPs and
 * the way back are always seen by the same connection table. What has no pod is the hub's own address, by a local
 * default route: nobody listens there, so that it is refused at once instead of timing out.
 */

/** The hub's address towards pods: their gateway, and where probes come from. */
export const GATEWAY = "10.244.0.1";
/** The cluster DNS server, in every pod's resolv.conf. */
export const DNS_ADDRESS = "10.96.0.10";

const POD_NETWORK = [10, 244] as const;
const FIRST_POD = 2;
const LAST_POD = 0xfffe;

/** Makes the network namespace that this process lives in the hub. `addresses` are those that hub servers listen on. */
export async function setUpHub(addresses: readonly string[]): Promise<void> {
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
  await ip([
    "link set lo up",
    ...[GATEWAY, ...addresses].map((address) => `addr add ${address}/32 dev lo`),
    "route add local default dev lo",
  ]);
}

/** Joins the hub's end of a pod's link, which the pod's sandbox has created under `link`. */
export async function attachPod(link: string, address: string): Promise<void> {
  await ip([`link set ${link} up`, `route add ${address}/32 dev ${link}`]);
}

/**
 * Removes a pod's link from the hub. The kernel would as well, some time after the pod's namespace has ended; until then its name is
 * taken.
 */
export async function detachPod(link: string): Promise<void> {
  // Without the link there is nothing to do.
  await runCommand(["ip", "link", "del", link]).catch(() => undefined);
}

/** Replaces the hub's nat table, at once and as a whole. */
export async function replaceServiceRules(rules: string): Promise<void> {
  await runCommand(["iptables-restore"], { input: rules });
}

async function ip(commands: readonly string[]): Promise<void> {
  await runCommand(["ip", "-batch", "-"], { input: `${commands.join("\n")}\n` });
}

/** Gives pods addresses out of 10.244.0.0/16. An address that came back is handed out again as late as possible. */
export interface AddressPool {
  /** A free address; throws when all 65,533 are taken. */
  take(): string;
  give(address: string): void;
}

export function addressPool(): AddressPool {
  const taken = new Set<string>();
  let next = FIRST_POD;
  return {
    take() {
      for (let tried = FIRST_POD; tried <= LAST_POD; tried += 1) {
        const address = [...POD_NETWORK, next >> 8, next & 0xff].join(".");
        next = next === LAST_POD ? FIRST_POD : next + 1;
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
      throw new Error("no pod address left in 10.244.0.0/16: run fewer pods");
    },
    give(address) {
      taken.delete(address);
    },
  };
}
