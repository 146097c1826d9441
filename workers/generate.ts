/** Entry of the generate workers: views in, packed bytes out. It keeps nothing between jobs. */
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type GeneratedResource, generate } from "../src/envoy/mod.ts";
import type { ResourceView } from "../src/mesh/mod.ts";
import type { FailedEntry, GeneratedEntry, GenerateJob, GenerateResult } from "./messages.ts";

/** Generates the resources of one job. A view that fails is named in its place; it does not touch the others. */
export function generateJob(job: GenerateJob): GenerateResult {
  const generated = job.views.map(generateOne);
  const size = generated.reduce((sum, each) => sum + ("error" in each ? 0 : each.bytes.length), 0);
  const frame = new Uint8Array(size);
  let offset = 0;
  const entries = generated.map((each): GeneratedEntry | FailedEntry => {
    if ("error" in each) return each;
    const { typeUrl, name, version, bytes } = each;
    frame.set(bytes, offset);
    const entry = { typeUrl, name, version, offset, length: bytes.length };
    offset += bytes.length;
    return entry;
  });
  return { frame: frame.buffer, entries };
}

/** {@link generateJob} for a thread: the frame is moved to the one that asked. */
export function generateInThread(job: GenerateJob): unknown {
  const result = generateJob(job);
  return move({ [transferableSymbol]: [result.frame], [valueSymbol]: result });
}

function generateOne(view: string): GeneratedResource | FailedEntry {
  try {
    return generate(JSON.parse(view) as ResourceView);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
