import { type ProxyStatus, RESOURCE_TYPES, type TypeStatus } from "../admin/api.ts";
import { printable } from "../lib/mod.ts";
import { meshClient } from "./client.ts";
import { ADMIN_FLAG, type Command, EXIT, noPositionals, OUTPUT_FLAG, outputFormat, stringFlag } from "./command.ts";
import { table } from "./table.ts";

export const podsCommand: Command = {
  name: "pods",
  usage: "[-n NS] [-o table|json]",
  summary: "List pods: readiness, and what their proxies were sent and have acknowledged",
  flags: {
    namespace: { type: "string", short: "n", value: "NS", help: "only this namespace (default: all)" },
    output: OUTPUT_FLAG,
    admin: ADMIN_FLAG,
  },
  examples: ["osm pods", "osm pods -n bookstore -o json"],
  async run(flags, context) {
    noPositionals(flags, "pods");
    const format = outputFormat(flags, "pods");
    const wanted = stringFlag(flags, "namespace");
    const all = (await meshClient(flags, context).get("/debug/proxies")) as readonly ProxyStatus[];
    const pods = wanted === undefined ? all : all.filter(({ namespace }) => namespace === wanted);
    if (format === "json") {
      context.write(`${JSON.stringify(pods, null, 2)}\n`);
      return EXIT.ok;
    }
    const headers = ["namespace", "pod", "ready", "address", "service account", "proxy", ...RESOURCE_TYPES];
    context.write(table(headers, pods.map(podRow)));
    for (const pod of pods) for (const line of refusals(pod)) context.note(`${printable(line)}\n`);
    for (const pod of pods) {
      if (!pod.isPodReady && pod.reason !== "")
        context.note(`${pod.namespace}/${pod.pod} is not ready: ${printable(pod.reason)}\n`);
    }
    return EXIT.ok;
  },
};

function podRow(pod: ProxyStatus): readonly string[] {
  const proxy = pod.uuid === "" ? "none" : pod.isConnected ? "connected" : "absent";
  return [
    pod.namespace,
    pod.pod,
    pod.isPodReady ? "yes" : "no",
    pod.address,
    pod.serviceAccount,
    proxy,
    ...RESOURCE_TYPES.map((type) => typeCell(pod.types[type])),
  ];
}

function typeCell(status: TypeStatus | undefined): string {
  if (status === undefined) return "-";
  return `${status.acknowledged}/${status.sent}${status.refused === undefined ? "" : " refused"}`;
}

function* refusals(pod: ProxyStatus): Generator<string> {
  for (const type of RESOURCE_TYPES) {
    const refused = pod.types[type]?.refused;
    if (refused === undefined) continue;
    yield `${pod.namespace}/${pod.pod} refused ${type} ${refused.resources.join(", ")}: ${refused.detail}; made of ${refused.objects.join(", ")}`;
  }
}
