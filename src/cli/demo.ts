import { resolve } from "node:path";
import process from "node:process";
import { type Command, CommandError, EXIT, noPositionals, stringFlag } from "./command.ts";
import { DemoStopped, explainFailure } from "./demo-session.ts";
import { findEnvoy } from "./envoy-program.ts";
import { SERVE_FLAGS, workerCount } from "./serve.ts";

export const demoCommand: Command = {
  name: "demo",
  usage: "[--check] [--state-dir DIR] [--workers N]",
  summary: "Show the bookstore on the mesh: traffic, access policy, traffic split, rotation",
  flags: {
    check: {
      type: "boolean",
      help: "no view: run every step, print what was expected and seen; the exit code is 1 unless all was as expected",
    },
    "state-dir": {
      type: "string",
      value: "DIR",
      help: "what must survive a restart, and the sockets (default: temporary)",
    },
    ...(SERVE_FLAGS["workers"] === undefined ? {} : { workers: SERVE_FLAGS["workers"] }),
  },
  examples: ["osm demo", "osm demo --check"],
  async run(flags, context) {
    noPositionals(flags, "demo");
    const stateDir = stringFlag(flags, "state-dir");
    const options = {
      ...(stateDir === undefined ? {} : { stateDir: resolve(context.cwd, stateDir) }),
      workers: workerCount(stringFlag(flags, "workers") ?? "1", "demo"),
    };
    const envoy = findEnvoy(context, "demo");
    if (envoy === undefined) {
      throw new CommandError(
        'osm demo: there is no Envoy: "npm run demo" installs one, or name the binary in OSM_ENVOY',
      );
    }
    const found = { ...context, env: { ...context.env, OSM_ENVOY: envoy } };
    const isPlain = flags.values["check"] === true || !context.isTty || process.stdin.isTTY !== true;
    try {
      if (isPlain) return await (await import("./demo-check.ts")).runCheck(options, found);
      return await (await import("./demo-live.ts")).runLive(options, found);
    } catch (error) {
      // What is under way when somebody ends it fails for that reason alone.
      if (!(error instanceof DemoStopped) && !context.signal.aborted) throw explainFailure(error);
      // Leaving the view is how it ends; a check that was broken off proved nothing.
      return isPlain ? EXIT.failed : EXIT.ok;
    }
  },
};
