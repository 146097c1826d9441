import { request } from "node:http";
import type { PodSummary } from "../local/mod.ts";
import type { PodAddress } from "./options.ts";

/** The node's pods; each that is not ready is named on `note` with the reason. */
export async function nodePods(socketPath: string, note: (text: string) => void): Promise<readonly PodAddress[]> {
  const pods = await fetchPods(socketPath);
  for (const { namespace, name, isReady, reason } of pods) {
    if (!isReady) note(`Pod ${namespace}/${name} is not ready: ${reason}\n`);
  }
  return pods.map(({ namespace, name, address, serviceAccount }) => ({ namespace, name, address, serviceAccount }));
}

function fetchPods(socketPath: string): Promise<readonly PodSummary[]> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/pods", agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve(JSON.parse(body) as readonly PodSummary[]);
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
