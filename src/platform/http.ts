import type * as nodeHttp from "node:http";

/**
 * `node:http`. An import statement would read all that it exports, `WebSocket` among them, and with that load Node's whole
 * fetch client: 15 MiB in every process and thread.
 */
export const http: typeof nodeHttp = process.getBuiltinModule("node:http");
