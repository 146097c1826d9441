/**
 * Versions of leaf secrets: what a control plane that did not issue a leaf, or has forgotten it, can tell from the version
 * that a proxy says it holds.
 */
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { WorkloadIdentity } from "./certificate-names.ts";

/** What a version says of its leaf. */
export interface LeafFacts {
  readonly issuerId: string;
  /** 32 hex digits. */
  readonly serial: string;
  readonly notAfterMs: number;
  readonly issuedMs: number;
}

/** Writes and reads versions. They hold no secret. */
export interface LeafVersions {
  /** `<issuer>.<serial>.<expiry in ms>.<issued at in ms>.<authentication code>`. */
  write(identity: WorkloadIdentity, leaf: LeafFacts): string;
  /** Undefined unless somebody with the same key wrote this version for this identity. */
  read(identity: WorkloadIdentity, version: string): LeafFacts | undefined;
}

/** Purpose of the key that authenticates versions, see `Authority.derive`. */
export const VERSION_KEY = { purpose: "leaf version", bytes: 32 } as const;
const CODE_BYTES = 16;
/** Longer text is no version; it comes from outside. */
const VERSION_CHARACTERS_MAX = 160;

/**
 * Creates {@link LeafVersions} of one trust domain. `key` only authenticates: with it somebody could make a proxy's claim
 * to hold a leaf believed, which deprives that proxy of a new one and gives nobody anything.
 */
export function createLeafVersions(options: { readonly key: Uint8Array; readonly trustDomain: string }): LeafVersions {
  const key = createSecretKey(options.key);
  const codeOf = (facts: string, { namespace, serviceAccount }: WorkloadIdentity) =>
    createHmac("sha256", key)
      // No part can hold a line break, so nothing can be read in two ways.
      .update(`${facts}\n${namespace}\n${serviceAccount}\n${options.trustDomain}`)
      .digest()
      .subarray(0, CODE_BYTES)
      .toString("base64url");
  return {
    write(identity, { issuerId, serial, notAfterMs, issuedMs }) {
      const facts = `${issuerId}.${serial}.${notAfterMs}.${issuedMs}`;
      return `${facts}.${codeOf(facts, identity)}`;
    },
    read(identity, version) {
      if (version.length > VERSION_CHARACTERS_MAX) return undefined;
      const end = version.lastIndexOf(".");
      const facts = version.slice(0, Math.max(end, 0));
      // As texts: the same octets can be written in several ways, and each would be another version to remember.
      const claimed = Buffer.from(version.slice(end + 1));
      const code = Buffer.from(codeOf(facts, identity));
      if (claimed.length !== code.length || !timingSafeEqual(claimed, code)) return undefined;
      return factsIn(version);
    },
  };
}

/** What a version says, whoever wrote it: for leaves of this process's own making. */
export function factsIn(version: string): LeafFacts {
  const [issuerId = "", serial = "", notAfterMs, issuedMs] = version.split(".");
  return { issuerId, serial, notAfterMs: Number(notAfterMs), issuedMs: Number(issuedMs) };
}

/** Renewal starts between these parts of a leaf's life, so that leaves made together are not renewed together. */
const RENEW_FROM = 0.55;
const RENEW_TO = 2 / 3;
/** A leaf that cannot live longer because its CA ends is not replaced more often than this. */
const RENEW_MIN_MS = 1000;

/** When a leaf is to be replaced. It follows from the leaf alone, so a restart changes nothing and replicas agree. */
export function renewAtMs({ serial, issuedMs, notAfterMs }: LeafFacts): number {
  const chance = Number.parseInt(serial.slice(-8), 16) / 2 ** 32;
  const part = RENEW_FROM + chance * (RENEW_TO - RENEW_FROM);
  return issuedMs + Math.max((notAfterMs - issuedMs) * part, RENEW_MIN_MS);
}
