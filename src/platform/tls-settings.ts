/** Settings of OpenSSL for a process that is about to be started: Node reads them once, at its start. */
import { fileURLToPath } from "node:url";
import { givenFlags } from "./process-memory.ts";

/**
 * Flags for Node with which a server makes one session ticket for a full handshake, where OpenSSL makes two. None where
 * somebody has chosen a configuration of OpenSSL, or FIPS, which is one; where Node has the system's OpenSSL, whose
 * configuration may be a policy; and none for Deno, which has no OpenSSL.
 */
export function tlsFlags(): readonly string[] {
  if ("Deno" in globalThis || process.env["OPENSSL_CONF"] !== undefined) return [];
  const { node_shared_openssl: isShared } = process.config.variables as { readonly node_shared_openssl?: unknown };
  if (isShared === true || /openssl|fips/.test(givenFlags())) return [];
  return [`--openssl-config=${fileURLToPath(new URL("./tls-settings.cnf", import.meta.url))}`];
}
