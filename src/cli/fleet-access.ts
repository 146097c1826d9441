import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Access, type CredentialSource, type NodeTemplates, OSM_COMMON_NAME } from "../fleet/mod.ts";
import { type CommandContext, type CommandError, type ParsedFlags, stringFlag } from "./command.ts";

/** An error of the command whose flags are read. */
type Wrong = (message: string) => CommandError;

const text = (value: string, help: string) => ({ type: "string", value, help }) as const;

/** What proxies say of themselves. */
export const NODE_FLAGS = {
  "node-id": text("TEMPLATE", `node id of each (default "${OSM_COMMON_NAME}")`),
  cluster: text("TEMPLATE", 'cluster of each node (default "{serviceAccount}.{namespace}")'),
  metadata: text("JSON", "metadata of each node; its texts are templates"),
} as const;

/** How any xDS server is reached. */
export const ACCESS_FLAGS = {
  plaintext: { type: "boolean", help: "no TLS" },
  "server-ca": text("FILE", "certificates by which the server is trusted"),
  "server-name": text("NAME", "name that the server's certificate has to carry"),
  cert: text("FILE", "one client certificate for all, with --key"),
  key: text("FILE", "its private key"),
  "sign-cert": text("FILE", "a CA that signs a certificate for each, with --sign-key"),
  "sign-key": text("FILE", "its private key"),
  "common-name": text("TEMPLATE", `common name and DNS name of each (default "${OSM_COMMON_NAME}")`),
  uri: text("TEMPLATE", "URI name of each, as spiffe://cluster.local/ns/{namespace}/sa/{serviceAccount}"),
} as const;

/** How the server of `--target` is trusted, and how proxies show who they are, without an admin address. */
export function accessOf(flags: ParsedFlags, context: CommandContext, wrong: Wrong): Access | undefined {
  const read = (name: string) => {
    const file = stringFlag(flags, name);
    if (file === undefined) return undefined;
    try {
      return readFileSync(resolve(context.cwd, file), "utf8");
    } catch (error) {
      throw wrong(`--${name}: ${(error as Error).message}`);
    }
  };
  if (flags.values["plaintext"] === true) {
    const other = Object.keys(ACCESS_FLAGS).find((name) => name !== "plaintext" && flags.values[name] !== undefined);
    if (other === undefined) return { tls: undefined, credentials: { kind: "none" } };
    throw wrong(
      `--plaintext and --${other} exclude each other: without TLS nobody shows a certificate or looks at one`,
    );
  }
  const rootsPem = read("server-ca");
  if (rootsPem === undefined) {
    const given = Object.keys(ACCESS_FLAGS).find((name) => flags.values[name] !== undefined);
    if (given !== undefined) throw wrong(`--${given} needs --server-ca, which says how the server is trusted`);
    return undefined;
  }
  const credentials = credentialsOf(flags, read, wrong);
  requireCertificate(rootsPem, "server-ca", wrong);
  const serverName = stringFlag(flags, "server-name");
  return {
    tls: { rootsPem, ...(serverName === undefined ? {} : { serverName }) },
    credentials,
  };
}

function credentialsOf(flags: ParsedFlags, read: (name: string) => string | undefined, wrong: Wrong): CredentialSource {
  const pair = (certificate: string, key: string) => {
    const certificatePem = read(certificate);
    const privateKeyPem = read(key);
    if (certificatePem === undefined && privateKeyPem === undefined) return undefined;
    if (certificatePem === undefined || privateKeyPem === undefined)
      throw wrong(`--${certificate} and --${key} belong together`);
    return { certificatePem, privateKeyPem };
  };
  const authority = pair("sign-cert", "sign-key");
  if (authority !== undefined) {
    requirePair(authority, ["sign-cert", "sign-key"], wrong);
    const commonName = stringFlag(flags, "common-name") ?? OSM_COMMON_NAME;
    const uri = stringFlag(flags, "uri");
    return { kind: "authority", authority, commonName, dnsNames: [commonName], uris: uri === undefined ? [] : [uri] };
  }
  const shared = pair("cert", "key");
  if (shared === undefined) return { kind: "none" };
  requirePair(shared, ["cert", "key"], wrong);
  return { kind: "shared", ...shared };
}

/** OpenSSL trusts nobody where a file holds no certificate, and says only that nobody is trusted. */
function requireCertificate(pem: string, flag: string, wrong: Wrong): void {
  try {
    new X509Certificate(pem);
  } catch {
    throw wrong(`--${flag} holds no certificate in PEM`);
  }
}

/** OpenSSL takes a certificate and a key of different kinds, and shows none of them. */
function requirePair(
  { certificatePem, privateKeyPem }: Readonly<Record<"certificatePem" | "privateKeyPem", string>>,
  [certificate, key]: readonly [string, string],
  wrong: Wrong,
): void {
  let isPair: boolean;
  try {
    isPair = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    // The cause may quote the key.
    throw wrong(
      `--${certificate} is a certificate and --${key} an unencrypted private key, both PEM; one of them is not`,
    );
  }
  if (!isPair) throw wrong(`--${key} is not the key of the certificate in --${certificate}`);
}

/** What each proxy says of itself, as far as flags say it. */
export function nodeTemplatesOf(flags: ParsedFlags, wrong: Wrong): NodeTemplates {
  const metadata = metadataOf(flags, wrong);
  return {
    nodeId: stringFlag(flags, "node-id") ?? OSM_COMMON_NAME,
    cluster: stringFlag(flags, "cluster") ?? "{serviceAccount}.{namespace}",
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function metadataOf(flags: ParsedFlags, wrong: Wrong): NodeTemplates["metadata"] {
  const value = stringFlag(flags, "metadata");
  if (value === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Said below, like everything else that is no object.
  }
  throw wrong(`--metadata is a JSON object, found "${value}"`);
}
