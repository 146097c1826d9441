export type { ServeOptions } from "./options.ts";
export { StartError } from "./options.ts";
export { type RunningServe, type ServeAddresses, type ServeIo, serve, startServe } from "./serve.ts";
export { ownVersion } from "./version.ts";
