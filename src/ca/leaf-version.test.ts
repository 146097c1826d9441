import { expect, test } from "vitest";
import { createAuthorityPem, openAuthority } from "./authority.ts";
import { createLeafVersions, type LeafFacts, VERSION_KEY } from "./leaf-version.ts";
import { ticketEpochAt, ticketKeysOf } from "./ticket-keys.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const buyer = { namespace: "shop", serviceAccount: "buyer" };
const leaf: LeafFacts = {
  issuerId: "0123456789abcdef",
  serial: "40".repeat(16),
  notAfterMs: NOW + 86_400_000,
  issuedMs: NOW,
};
const key = new Uint8Array(32).fill(1);
const versions = createLeafVersions({ key, trustDomain: "cluster.local" });

test("another process with the same key reads who issued a leaf, and until when it is good", () => {
  const version = versions.write(buyer, leaf);
  expect(version.startsWith(`${leaf.issuerId}.${leaf.serial}.${leaf.notAfterMs}.${NOW}.`)).toBe(true);
  expect(createLeafVersions({ key: key.slice(), trustDomain: "cluster.local" }).read(buyer, version)).toEqual(leaf);
});

test("a version is worth nothing for another identity, key or trust domain, or when anything in it was changed", () => {
  const version = versions.write(buyer, leaf);
  expect(versions.read({ ...buyer, serviceAccount: "thief" }, version)).toBeUndefined();
  expect(versions.read({ ...buyer, namespace: "other" }, version)).toBeUndefined();
  // Names cannot be shifted from one part into the next.
  expect(versions.read({ namespace: "shop\nbuyer", serviceAccount: "" }, version)).toBeUndefined();
  const others = [
    createLeafVersions({ key: new Uint8Array(32), trustDomain: "cluster.local" }),
    createLeafVersions({ key, trustDomain: "other.local" }),
  ];
  expect(others.map((other) => other.read(buyer, version))).toEqual([undefined, undefined]);
  for (let position = 0; position < version.length - 1; position++) {
    const other = version[position] === "1" ? "2" : "1";
    expect(versions.read(buyer, version.slice(0, position) + other + version.slice(position + 1))).toBeUndefined();
  }
  // The last digit has four bits that stand for nothing: another way to write the same code is another version.
  const twin = String.fromCharCode(version.charCodeAt(version.length - 1) + 1);
  expect(versions.read(buyer, version.slice(0, -1) + twin)).toBeUndefined();
  expect(versions.read(buyer, `${version}=`)).toBeUndefined();
  for (const text of ["", ".", "....", version.slice(0, -1), `${version}AA`, "x".repeat(1_000_000)]) {
    expect(versions.read(buyer, text)).toBeUndefined();
  }
});

test("replicas with the same CA derive the same keys, and none from which another follows", async () => {
  const pem = await createAuthorityPem(NOW);
  const names = { certificate: "ca.crt", key: "private.key" };
  const [left, right] = [openAuthority(pem, NOW, names), openAuthority(pem, NOW, names)];
  const stranger = openAuthority(await createAuthorityPem(NOW), NOW, names);
  const today = ticketEpochAt(NOW);
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const all = [left, right, stranger].map(({ derive }) => [
    hex(derive(VERSION_KEY.purpose, VERSION_KEY.bytes)),
    hex(ticketKeysOf(derive, today)),
    hex(ticketKeysOf(derive, today + 1)),
  ]);
  expect(all[0]).toEqual(all[1]);
  expect(new Set([...(all[0] ?? []), ...(all[2] ?? [])]).size).toBe(6);
  expect(ticketKeysOf(left.derive, today)).toHaveLength(48);
});
