import type { RotationResult } from "../admin/api.ts";
import { meshClient } from "./client.ts";
import { ADMIN_FLAG, type Command, EXIT, noPositionals } from "./command.ts";

export const certRotateCommand: Command = {
  name: "cert rotate",
  usage: "",
  summary: "Give every proxy a new certificate now; returns when all have acknowledged theirs",
  flags: { admin: ADMIN_FLAG },
  examples: ["osm cert rotate"],
  async run(flags, context) {
    noPositionals(flags, "cert rotate");
    const result = (await meshClient(flags, context).control("POST", "/certificates/rotate")) as RotationResult;
    context.note(
      `Rotated: ${result.proxies} ${result.proxies === 1 ? "proxy has" : "proxies have"} acknowledged a new certificate\n`,
    );
    return EXIT.ok;
  },
};
