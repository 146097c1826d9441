export {
  type AppReport,
  type CallCount,
  type DemoApp,
  type DemoStep,
  demoSteps,
  type Expectation,
  reporters,
} from "../../demo/mod.ts";
export { type DemoMesh, type DemoOptions, startDemoMesh } from "./demo-mesh.ts";
export type { ServeOptions } from "./options.ts";
export { formatHostPort, StartError } from "./options.ts";
export type { RunningServe, ServeAddresses, ServeIo } from "./running-serve.ts";
export { serve, startServe } from "./serve.ts";
export { ownVersion } from "./version.ts";
