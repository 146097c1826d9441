import { printable, type Rejection } from "../lib/mod.ts";
import type { PodSummary } from "../local/mod.ts";
import { RequestError, requestJson } from "../platform/json-request.ts";
import { type PodAddress, StartError } from "./options.ts";

const ANSWER_TIMEOUT_MS = 10_000;

/** The node's pods; each that is not ready is named on `note` with the reason. */
export async function nodePods(socketPath: string, note: (text: string) => void): Promise<readonly PodAddress[]> {
  const pods = (await ask(socketPath, "/pods").catch((error: unknown) => {
    throw new StartError(`the pods cannot be listed: ${error instanceof Error ? error.message : String(error)}`);
  })) as readonly PodSummary[];
  for (const { namespace, name, isReady, phase, reason } of pods) {
    if (!isReady && phase !== "Succeeded") note(`Pod ${namespace}/${name} is not ready: ${printable(reason)}\n`);
  }
  return pods.map(({ namespace, name, address, serviceAccount }) => ({ namespace, name, address, serviceAccount }));
}

/** What the node could not make pods of; nothing while it does not answer. */
export async function nodeRejections(socketPath: string): Promise<readonly Rejection[]> {
  try {
    return (await ask(socketPath, "/rejections")) as readonly Rejection[];
  } catch (error) {
    if (error instanceof RequestError && error.code === "unreachable") return [];
    throw error;
  }
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return requestJson({ address: { socketPath }, method: "GET", path, timeoutMs: ANSWER_TIMEOUT_MS });
}
