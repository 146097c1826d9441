import { envoy } from "../../proto/gen/resources.js";
import { ACCESS_LOG_FORMAT } from "./access-log-format.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS } from "./names.ts";

const { StdoutAccessLog } = envoy.extensions.access_loggers.stream.v3;

/**
 * Access logs of every listener (what happened to the connection, refused ones included) and connection manager (what
 * happened to the request), on the proxy's standard output.
 */
export const ACCESS_LOGS: readonly envoy.config.accesslog.v3.AccessLog.$Properties[] = [
  {
    name: EXTENSIONS.stdoutAccessLog,
    typedConfig: packAny("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", StdoutAccessLog, {
      logFormat: {
        jsonFormat: {
          fields: Object.fromEntries(
            Object.entries(ACCESS_LOG_FORMAT).map(([key, stringValue]) => [key, { stringValue }]),
          ),
        },
      },
    }),
  },
];
