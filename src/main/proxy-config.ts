import type { DescribeJob } from "../../workers/messages.ts";
import { RESOURCE_TYPES } from "../admin/mod.ts";
import { inlinePool, type Pool, type PoolReporting, startPool } from "../platform/mod.ts";
import { type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/mod.ts";

const TYPES: Readonly<Record<(typeof RESOURCE_TYPES)[number], TypeUrl>> = {
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoints,
  lds: TYPE_URLS.listener,
  rds: TYPE_URLS.route,
  sds: TYPE_URLS.secret,
};
const DESCRIBE_TIMEOUT_MS = 20_000;
const DESCRIBE_QUEUE_MAX = 16;
const DESCRIBE_IDLE_MS = 5000;
const DESCRIBE_HEAP_MAX_MB = 256;

/** Shows tables to people. The descriptors it needs are loaded in a thread that ends soon after the last question. */
export interface TableReader {
  read(table: ResourceTable): Promise<unknown>;
  close(): Promise<void>;
}

export function createTableReader(options: Omit<PoolReporting, "name"> & { readonly hasThread: boolean }): TableReader {
  const pool = describePool(options);
  return {
    async read(table) {
      const shown: Record<string, unknown> = { generation: table.generation };
      for (const type of RESOURCE_TYPES) {
        const names = [...table.names(TYPES[type])].sort();
        const resources = names.flatMap((name) => {
          const resource = table.get(TYPES[type], name);
          return resource === undefined ? [] : [{ ...resource, bytes: new Uint8Array(resource.bytes).buffer }];
        });
        shown[type] = JSON.parse(await pool.run({ resources }));
      }
      return shown;
    },
    close: () => pool.close(),
  };
}

function describePool(
  options: Omit<PoolReporting, "name"> & { readonly hasThread: boolean },
): Pool<DescribeJob, string> {
  const reporting: PoolReporting = { ...options, name: "describe" };
  if (!options.hasThread) {
    return inlinePool({ ...reporting, load: async () => (await import("../../workers/describe.ts")).describeInThread });
  }
  return startPool({
    ...reporting,
    entry: new URL("../../workers/describe.ts", import.meta.url),
    function: "describeInThread",
    threads: 1,
    idleMs: DESCRIBE_IDLE_MS,
    timeoutMs: DESCRIBE_TIMEOUT_MS,
    queueMax: DESCRIBE_QUEUE_MAX,
    heapMaxMb: DESCRIBE_HEAP_MAX_MB,
  });
}
