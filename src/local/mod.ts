export { type NodeEdge, runNode } from "./node.ts";
export type { NodeConfig } from "./node-config.ts";
export type { ExecPlan, PodSummary } from "./node-server.ts";
export { localPodsObstacle, type NodeOptions, type NodeProcess, NodeStartError, startNode } from "./start-node.ts";
