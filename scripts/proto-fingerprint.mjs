import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The compiler and the sources of the generated protos. */
const packages = ["@grpc/grpc-js-xds", "protobufjs", "protobufjs-cli"];

/**
 * Changes when what `scripts/protos.ts` generates would change. Plain JavaScript and milliseconds, because the set-up
 * asks before every command.
 *
 * @param {string} checkout
 */
export function protoFingerprint(checkout) {
  const hash = createHash("sha256");
  const own = readdirSync(join(checkout, "proto")).filter((name) => name.endsWith(".proto"));
  for (const name of ["scripts/protos.ts", ...own.map((proto) => `proto/${proto}`)]) {
    hash.update(name).update(readFileSync(join(checkout, name)));
  }
  for (const name of packages) {
    const manifest = readFileSync(join(checkout, "node_modules", name, "package.json"), "utf8");
    hash.update(`${name}@${JSON.parse(manifest).version}\n`);
  }
  return hash.digest("hex");
}

/**
 * Whether `proto/gen` is what would be generated now.
 *
 * @param {string} checkout
 */
export function protosAreCurrent(checkout) {
  const stamp = join(checkout, "proto/gen/fingerprint");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === protoFingerprint(checkout);
}
