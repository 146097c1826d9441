import { join } from "node:path";
import type { ObjectEvent } from "../kube/mod.ts";
import type { Rejection } from "../lib/mod.ts";
import { watchFolder } from "../manifests/mod.ts";
import type { PoolReporting } from "../platform/mod.ts";
import type { ControlPlaneOptions } from "./options.ts";
import { createParser } from "./parse-pool.ts";

/** Kinds that the node process reads from the folder itself and hands over with what a cluster would add to them. */
const KINDS_OF_NODE: ReadonlySet<string> = new Set(["Pod", "Service"]);

export interface Folder {
  readonly rejections: () => readonly Rejection[];
  stop(): Promise<void>;
}

export interface FolderTakers {
  /** What the control plane takes from the folder. */
  readonly accept: (events: readonly ObjectEvent[]) => Promise<void>;
  /** Files, documents or duplicates without effect may be others now. */
  readonly rejectionsChanged: () => void;
}

/** Follows the served folder. */
export function openFolder(
  options: ControlPlaneOptions,
  takers: FolderTakers,
  edge: Omit<PoolReporting, "name">,
): Folder {
  const parser = createParser(options.workers > 0, edge);
  const source = watchFolder({
    dir: options.dir,
    source: "folder",
    stateDir: join(options.stateDir, "files"),
    clock: edge.clock,
    log: edge.log.child("manifests"),
    parse: parser.parse,
    onBatch: (events) => takers.accept(options.hasPods ? withoutKindsOfNode(events) : events),
    onRejections: takers.rejectionsChanged,
  });
  return {
    rejections: () => source.rejections(),
    async stop() {
      await source.stop();
      await parser.close();
    },
  };
}

function withoutKindsOfNode(events: readonly ObjectEvent[]): readonly ObjectEvent[] {
  return events.flatMap((event): readonly ObjectEvent[] => {
    if (event.type === "reset") {
      return [{ ...event, objects: event.objects.filter(({ object }) => !KINDS_OF_NODE.has(object.kind)) }];
    }
    return KINDS_OF_NODE.has(event.type === "apply" ? event.object.kind : event.kind) ? [] : [event];
  });
}
