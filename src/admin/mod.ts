export type * from "./api.ts";
export { RESOURCE_TYPES } from "./api.ts";
export { type BootstrapRequest, type ControlActions, type CredentialFiles, controlRoutes } from "./control.ts";
export { type HttpListener, HttpProblem, type ListenAddress, listenHttp } from "./http.ts";
export { type AdminReadModel, publicRoutes } from "./public.ts";
