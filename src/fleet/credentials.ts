import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "../lib/mod.ts";
import { requestJson } from "../platform/json-request.ts";
import { type Authority, certificateSigner } from "./credentials-certificate.ts";

/** What templates may name: `{n}`, `{uuid}`, `{namespace}`, `{service}`, `{serviceAccount}`, `{pod}`. */
export interface Subject {
  readonly n: number;
  readonly uuid: string;
  readonly namespace: string;
  readonly service: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

/** How proxies show who they are. */
export type CredentialSource =
  | { readonly kind: "none" }
  /** One certificate for all. */
  | { readonly kind: "shared"; readonly certificatePem: string; readonly privateKeyPem: string }
  /** Certificates that the fleet signs itself, with the names of these templates; all have one key. */
  | {
      readonly kind: "authority";
      readonly authority: Authority;
      readonly commonName: string;
      readonly dnsNames: readonly string[];
      readonly uris: readonly string[];
    }
  /** The control socket of a control plane of this project, which issues them. */
  | { readonly kind: "control"; readonly socketPath: string };

export interface Credential {
  readonly certificatePem?: string;
  readonly privateKeyPem?: string;
}

/** Names by which a control plane of this project knows a proxy. */
export const OSM_COMMON_NAME = "{uuid}.sidecar.{serviceAccount}.{namespace}.cluster.local";
/** What its own certificate says, wherever it is reached. */
export const OSM_SERVER_NAME = "osm-controller.osm-system.svc.cluster.local";

const LIFETIME_MS = 24 * 3_600_000;
/** Clocks of two machines may differ by so much. */
const SKEW_MS = 60_000;
const REQUEST_MS = 30_000;
/** Asked for at a time. */
const REQUESTS = 16;

/** A template that names something unknown. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** Fills in a template. Throws {@link TemplateError} for a name that no subject has. */
export function fillTemplate(template: string, subject: Subject): string {
  return template.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
    const value = (subject as unknown as Record<string, string | number | undefined>)[name];
    if (value !== undefined) return String(value);
    throw new TemplateError(
      `"{${name}}" in "${template}" names nothing; there are {${Object.keys(subject).join("}, {")}}`,
    );
  });
}

/** One credential for each subject, in order. */
export async function issueCredentials(
  source: CredentialSource,
  subjects: readonly Subject[],
  clock: Clock,
): Promise<readonly Credential[]> {
  switch (source.kind) {
    case "none":
      return subjects.map(() => ({}));
    case "shared": {
      const { certificatePem, privateKeyPem } = source;
      return subjects.map(() => ({ certificatePem, privateKeyPem }));
    }
    case "authority":
      return await signed(source, subjects, clock);
    case "control":
      return await askedFor(source.socketPath, subjects);
  }
}

async function signed(
  source: Extract<CredentialSource, { readonly kind: "authority" }>,
  subjects: readonly Subject[],
  clock: Clock,
): Promise<readonly Credential[]> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const notBeforeMs = clock.now() - SKEW_MS;
  const sign = certificateSigner(source.authority, { privateKeyPem, notBeforeMs, lifetimeMs: LIFETIME_MS });
  return subjects.map((subject) => {
    const filled = (template: string) => fillTemplate(template, subject);
    const commonName = filled(source.commonName);
    const dnsNames = source.dnsNames.map(filled);
    const uris = source.uris.map(filled);
    return { certificatePem: sign({ commonName, dnsNames, uris }, subject.n + 1), privateKeyPem };
  });
}

async function askedFor(socketPath: string, subjects: readonly Subject[]): Promise<readonly Credential[]> {
  const credentials: Credential[] = [];
  let next = 0;
  const ask = async () => {
    for (let place = next++; place < subjects.length; place = next++) {
      const { namespace, serviceAccount, uuid } = subjects[place] as Subject;
      const question = { method: "POST", path: "/credentials", timeoutMs: REQUEST_MS } as const;
      const body = { namespace, serviceAccount, uuid };
      credentials[place] = (await requestJson({ address: { socketPath }, ...question, body })) as Credential;
    }
  };
  await Promise.all(Array.from({ length: REQUESTS }, ask));
  return credentials;
}
