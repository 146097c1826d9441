export type { AppReport, CallCount } from "./apps/demo-app.ts";
export {
  appsFolder,
  bookstoreFolder,
  type DemoApp,
  type DemoStep,
  demoSteps,
  type Expectation,
  localFile,
  programs,
  reporters,
  stepsFolder,
} from "./steps.ts";
