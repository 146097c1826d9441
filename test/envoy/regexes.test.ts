import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ResourceView } from "../../src/mesh/mod.ts";
import { createTranslation } from "../../src/translate/mod.ts";
import { type AdsMesh, type AdsProxy, startAdsMesh, unbound } from "./ads-mesh.ts";
import { describeWithEnvoy } from "./binary.ts";
import { type LeafMaker, leafMaker } from "./leaves.ts";

const runs = Number(process.env["PROPERTY_RUNS"] ?? 100);
const PATTERNS_EACH = 20;

/** Where engines differ: classes, escapes, flags, counts, characters beyond ASCII. */
const piece = fc.oneof(
  fc.constantFrom(...("abz/.-_é😀".match(/./gu) ?? [])),
  fc.constantFrom(
    ".",
    "^",
    "$",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Z",
    "\\C",
    "\\h",
    "\\v",
    "\\e",
    "\\cA",
    "\\_",
    "\\1",
    "\\07",
  ),
  fc.constantFrom("\\x41", "\\x{41}", "\\x{ff}", "\\x{100}", "\\x{10FFFF}", "\\u0041", "\ud800", "\u0000"),
  fc.constantFrom(
    "\\d",
    "\\W",
    "[[:word:]]",
    "[^a]",
    "[]a]",
    "[a-\\d]",
    "[\\pL_-]",
    "[😀-😎]",
    "[a&&b]",
    "\\Qa.b\\E",
    "\\Q\\p{x}",
  ),
  fc
    .constantFrom(
      ..."L Lu LC Cn Cs Any Latin Greek Han Garay Tai_Yo Emoji Alphabetic ASCII Assigned White_Space".split(" "),
    )
    .chain((name) => fc.constantFrom(`\\p{${name}}`, `\\P{${name}}`, `\\p{^${name}}`, `[\\p{${name}}a]`)),
  fc.constantFrom(
    "*",
    "+",
    "?",
    "*?",
    "++",
    "{2}",
    "{2,}",
    "{,3}",
    "{2,3}?",
    "{100}",
    "{500}",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?-s)",
  ),
  fc.constantFrom(
    "(?P<n>a)",
    "(?<n>a)",
    "(?=a)",
    "(?>a)",
    "(?#c)",
    "(?i:K)",
    "(a|b)",
    "(|a)*",
    "(.{10}){10}",
    "\\\\p{x}",
  ),
);
const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));

/** Whether an HTTPRouteGroup with this path stands. */
function isAccepted(pathRegex: string): boolean {
  const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
  const object = {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: { name: "group", namespace: "shop" },
    spec: { matches: [{ name: "match", pathRegex }] },
  };
  translation.apply([{ type: "apply", object, source: "test" }]);
  return translation.rejections().length === 0;
}

function viewsFor(patterns: readonly string[]): readonly ResourceView[] {
  const tls = { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] } as const;
  const chain = { name: "http", port: 8080, serverNames: ["server"], protocol: "http", route: "routes" } as const;
  const routes = patterns.map((pathRegex) => ({ pathRegex, method: "*", headers: [], cluster: "local" }));
  return [
    { kind: "local-cluster", name: "local", port: 8080 },
    { kind: "inbound-listener", name: "inbound-listener", chains: [chain], tls },
    { kind: "inbound-route", name: "routes", virtualHosts: [{ name: "server", domains: ["server"], routes }] },
  ];
}

describeWithEnvoy("row 72: whatever pattern a route holds", () => {
  let mesh: AdsMesh;
  let proxy: AdsProxy;
  let leaves: LeafMaker;
  beforeAll(async () => {
    [mesh, leaves] = await Promise.all([startAdsMesh(), leafMaker()]);
    proxy = await mesh.startProxy("server");
  });
  afterAll(async () => await mesh?.stop());

  test(`Envoy compiles what is not rejected, of ${runs * PATTERNS_EACH} random patterns`, {
    timeout: 300_000,
  }, async () => {
    const secrets = await leaves.secretsOf({ namespace: "shop", serviceAccount: "server" });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(pattern, { minLength: PATTERNS_EACH, maxLength: PATTERNS_EACH }), async (patterns) => {
        const standing = patterns.filter(isAccepted);
        accepted += standing.length;
        await proxy.publish([...unbound(viewsFor(standing)), ...secrets]);
        expect(proxy.refusals).toEqual([]);
      }),
      { numRuns: runs, endOnFailure: true },
    );
    expect(accepted).toBeGreaterThan(runs);
  });
});
