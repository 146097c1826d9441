export { LOCAL_FILE, readImageCommands } from "./image-commands.ts";
export { type NodeEdge, runNode } from "./node.ts";
export type { NodeConfig } from "./node-config.ts";
export type { ExecPlan, PodSummary } from "./node-server.ts";
export { localPodsObstacle, type NodeOptions, type NodeProcess, NodeStartError, startNode } from "./start-node.ts";
export { isWorkload, readWorkload } from "./workloads.ts";
