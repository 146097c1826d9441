import { ENVOY_UID, sidecarPorts } from "./sidecar-containers.ts";

/** What the sidecar does not intercept, pod and mesh settings merged. */
export interface InterceptionScope {
  readonly inboundPortExclusions: readonly number[];
  readonly outboundPortExclusions: readonly number[];
  readonly outboundIpRangeExclusions: readonly string[];
  /** Not empty: nothing but these ranges is intercepted. */
  readonly outboundIpRangeInclusions: readonly string[];
  readonly networkInterfaceExclusions: readonly string[];
  /** `PodIP`: the proxy reaches the application on the pod's address instead of loopback. */
  readonly localProxyMode: "Localhost" | "PodIP";
}

/** The multiport match of iptables takes no more. */
const MULTIPORT_MAX = 15;
/** Linux allows 15 characters; iptables reads a final `+` as "any ending". */
const interfaceName = /^[\w.:@-]{1,15}\+?$/;
const inbound = "OSM_PROXY_INBOUND";
const inRedirect = "OSM_PROXY_IN_REDIRECT";
const outbound = "OSM_PROXY_OUTBOUND";
const outRedirect = "OSM_PROXY_OUT_REDIRECT";

/**
 * The shell script of the init container: one `iptables-restore`, so that a pod has all rules or none. Chains and
 * effects are OSM v1.2.4's; TCP over IPv4 alone is intercepted. Needs `POD_IP` in the environment and CAP_NET_ADMIN in
 * the pod's network namespace, no more.
 */
export function interceptionScript(wanted: InterceptionScope): string {
  // These names reach a shell. No interface has a name that this leaves out, so leaving it out changes nothing.
  const networkInterfaceExclusions = wanted.networkInterfaceExclusions.filter((name) => interfaceName.test(name));
  const scope = { ...wanted, networkInterfaceExclusions };
  const rules = [
    "*nat",
    ...[inbound, inRedirect, outbound, outRedirect].map((chain) => `:${chain} - [0:0]`),
    ...inboundRules(scope),
    ...outboundRules(scope),
    "COMMIT",
  ];
  return `iptables-restore --noflush <<EOF\n${rules.join("\n")}\nEOF\n`;
}

function inboundRules(scope: InterceptionScope): string[] {
  const { metrics, liveness, readiness, startup, healthcheck } = sidecarPorts;
  return [
    `-A ${inRedirect} -p tcp -j REDIRECT --to-port ${sidecarPorts.inbound}`,
    `-A PREROUTING -p tcp -j ${inbound}`,
    ...scope.networkInterfaceExclusions.map((name) => `-A ${inbound} -i ${name} -j RETURN`),
    ...portRules(inbound, scope.inboundPortExclusions),
    ...[metrics, liveness, readiness, startup, healthcheck].map(
      (port) => `-A ${inbound} -p tcp --dport ${port} -j RETURN`,
    ),
    `-A ${inbound} -p tcp -j ${inRedirect}`,
  ];
}

function outboundRules(scope: InterceptionScope): string[] {
  const byProxy = `-m owner --uid-owner ${ENVOY_UID}`;
  const notByProxy = `-m owner ! --uid-owner ${ENVOY_UID}`;
  const inclusions = scope.outboundIpRangeInclusions;
  return [
    `-A ${outRedirect} -p tcp -j REDIRECT --to-port ${sidecarPorts.outbound}`,
    `-A OUTPUT -p tcp -j ${outbound}`,
    // A service that calls itself comes back through its own inbound side, so that policy holds there too.
    `-A ${outbound} -o lo ! -d 127.0.0.1/32 ${byProxy} -j ${inRedirect}`,
    `-A ${outbound} -o lo ${notByProxy} -j RETURN`,
    `-A ${outbound} ${byProxy} -j RETURN`,
    `-A ${outbound} -d 127.0.0.1/32 -j RETURN`,
    // The admin port listens on loopback alone; sending the proxy's own scrape to the pod's address would lose it.
    ...(scope.localProxyMode === "PodIP"
      ? [
          `-I OUTPUT -p tcp -o lo -d 127.0.0.1/32 ! --dport ${sidecarPorts.admin} ${byProxy} -j DNAT --to-destination $POD_IP`,
        ]
      : []),
    ...scope.networkInterfaceExclusions.map((name) => `-A ${outbound} -o ${name} -j RETURN`),
    ...scope.outboundIpRangeExclusions.map((range) => `-A ${outbound} -d ${range} -j RETURN`),
    ...portRules(outbound, scope.outboundPortExclusions),
    ...(inclusions.length === 0
      ? [`-A ${outbound} -j ${outRedirect}`]
      : [...inclusions.map((range) => `-A ${outbound} -d ${range} -j ${outRedirect}`), `-A ${outbound} -j RETURN`]),
  ];
}

function portRules(chain: string, ports: readonly number[]): string[] {
  const rules: string[] = [];
  for (let from = 0; from < ports.length; from += MULTIPORT_MAX) {
    const chunk = ports.slice(from, from + MULTIPORT_MAX);
    rules.push(`-A ${chain} -p tcp --match multiport --dports ${chunk.join(",")} -j RETURN`);
  }
  return rules;
}
