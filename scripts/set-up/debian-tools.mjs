import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotBeHad, reasonIn, run, withProgress } from "./step.mjs";

/** What pods are made of, each with Debian's package. */
const tools = [
  { program: "iptables-restore", package: "iptables" },
  { program: "ip", package: "iproute2" },
  { program: "unshare", package: "util-linux" },
  { program: "setpriv", package: "util-linux" },
  { program: "mount", package: "mount" },
];
/** Without root, namespaces belong to a user namespace. */
const rootlessTools = [{ program: "newuidmap", package: "uidmap" }];

const isRoot = process.getuid?.() === 0;

/** @param {string} program */
function isInstalled(program) {
  // An ordinary user's PATH lacks the folders of system programs.
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return folders.some((folder) => folder !== "" && existsSync(join(folder, program)));
}

/** Debian packages that pods need and that are missing. */
function missingPackages() {
  if (process.platform !== "linux") return [];
  const needed = isRoot ? tools : [...tools, ...rootlessTools];
  const missing = needed.filter(({ program }) => !isInstalled(program));
  return [...new Set(missing.map((tool) => tool.package))];
}

/**
 * Installs what pods need, as root on Debian and its kin; elsewhere says what is missing.
 *
 * @param {readonly string[]} extra packages to install along, because we know that they are missing
 */
export async function ensureTools(extra = []) {
  const packages = [...missingPackages(), ...extra];
  if (packages.length === 0) return;
  const list = packages.join(" ");
  if (!isRoot || !isInstalled("apt-get")) {
    throw new CannotBeHad(
      `Pods need ${packages.join(", ")}: install them, on Debian with "sudo apt-get install ${list}".`,
    );
  }
  await withProgress(`Installing Debian packages ${list}`, async () => {
    const first = await aptGet("install", packages);
    if (first.code === 0) return;
    await aptGet("update", []);
    const { code, output } = await aptGet("install", packages);
    if (code !== 0) {
      throw new CannotBeHad(
        `Debian's packages ${list} could not be installed (${reasonIn(output)}): run "apt-get install ${list}" where a mirror is reachable.`,
      );
    }
  });
}

/**
 * @param {"install" | "update"} verb
 * @param {readonly string[]} packages
 */
function aptGet(verb, packages) {
  const args = ["-y", "-q", "-o", "DPkg::Lock::Timeout=120", verb];
  if (verb === "install") args.push("--no-install-recommends", ...packages);
  return run("apt-get", args, { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
}
