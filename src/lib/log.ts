/** Severity names of OSM's `osmLogLevel`, lowest first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Structured log: one JSON object a line. Fields are scalars, so that no secret-bearing object is ever printed whole. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines carry `component`. It shares the level with its parent. */
  child(component: string): Log;
  setLevel(level: LogLevel): void;
}

/** Writes lines of at least `level` to `write`; `now` gives milliseconds since the epoch. */
export function jsonLog(options: {
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly level?: LogLevel;
}): Log {
  const shared = { threshold: LOG_LEVELS.indexOf(options.level ?? "info") };
  return logFor(options, shared, undefined);
}

/** A log that keeps nothing, for tests. */
export function silentLog(): Log {
  return jsonLog({ write: () => {}, now: () => 0, level: "disabled" });
}

function logFor(
  options: { readonly write: (line: string) => void; readonly now: () => number },
  shared: { threshold: number },
  component: string | undefined,
): Log {
  const at = (level: LogLevel) => {
    const severity = LOG_LEVELS.indexOf(level);
    return (message: string, fields?: LogFields) => {
      if (severity < shared.threshold) return;
      options.write(
        `${JSON.stringify({ level, component, time: new Date(options.now()).toISOString(), ...fields, message })}\n`,
      );
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (name) => logFor(options, shared, component === undefined ? name : `${component}/${name}`),
    setLevel(level) {
      shared.threshold = LOG_LEVELS.indexOf(level);
    },
  };
}
