export { PlanError } from "./action-changes.ts";
export { type CredentialSource, OSM_COMMON_NAME, OSM_SERVER_NAME, TemplateError } from "./credentials.ts";
export { FolderFeed } from "./feed.ts";
export { FeedTroubleError } from "./feed-trouble.ts";
export { startFleet } from "./fleet.ts";
export type {
  Behaviour,
  Fleet,
  FleetCounts,
  Opened,
  ProcessUsage,
  ProxySpec,
  ProxyTable,
  Seen,
  Target,
  Watch,
} from "./fleet-api.ts";
export type { NodeTemplates } from "./node-templates.ts";
export { TYPE_URL } from "./oracle-names.ts";
export { FleetProcessError } from "./process-caller.ts";
export { reportHtml } from "./report-html.ts";
export type { Delays, PhaseReport, RunReport } from "./report-result.ts";
export { ms, REPORT_HEADERS, reportNotes, reportRows } from "./report-table.ts";
export { type RunOptions, RunStopped, runScenario } from "./run.ts";
export { type ConnectReport, connectFleet } from "./run-connect.ts";
export { type ServerProcess, ServerStartError, startServer } from "./run-server.ts";
export { type Access, accessBy, TargetError } from "./run-target.ts";
export { type Scenario, ScenarioError, type ScenarioTarget } from "./scenario.ts";
export { readScenario } from "./scenario-file.ts";
export { libraryHint, libraryNames, libraryScenario } from "./scenario-library.ts";
export type { Setting } from "./scenario-yaml.ts";
export { type NamedShape, namedShape, namedShapes, type Shape } from "./shape.ts";
export { type FileKey, World } from "./world.ts";
export type { KubeObject, WorldPod } from "./world-objects.ts";
