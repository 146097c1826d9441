import type {
  LeafRequest,
  OpenedAuthority,
  SignedCredential,
  SignedService,
  SignerData,
  SignJob,
  SignResult,
} from "../../workers/messages.ts";
import {
  type CertificateNames,
  controllerNames,
  createLeafKeeper,
  type LeafKeeper,
  type LeafPolicy,
  leafVersion,
  type SidecarIdentity,
  serviceNames,
  sidecarNames,
} from "../ca/mod.ts";
import { SECRETS } from "../envoy/secrets.ts";
import { type Clock, type Counter, canonicalJson, contentHash, type Log, type Metrics } from "../lib/mod.ts";
import type { Identity, MeshSettings } from "../mesh/mod.ts";
import { inlinePool, type Pool, runTwice, startPool } from "../platform/mod.ts";
import type { SecretSource, TableSecrets } from "../push/mod.ts";
import { type Resource, TYPE_URLS } from "../xds/mod.ts";
import { StartError } from "./options.ts";

/**
 * Credentials for the xDS stream live as long as in OSM: they end with their pod. P-256 whatever the mesh's leaves are:
 * only the control plane and its proxies ever see them.
 */
const CREDENTIAL_POLICY: LeafPolicy = { keyAlgorithm: "ECDSA", keyBits: 2048, validitySeconds: 87_600 * 3600 };
const SIGN_TIMEOUT_MS = 20_000;
const SIGN_QUEUE_MAX = 100_000;
const SIGNER_HEAP_MAX_MB = 128;

export interface PemCredential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Everything that the mesh CA gives out. */
export interface MeshSecrets {
  readonly source: SecretSource;
  readonly rootsPem: string;
  /** A proxy's credential for its xDS stream. */
  proxyCredential(sidecar: SidecarIdentity): Promise<PemCredential>;
  /** The xDS server's own certificate. */
  serverCredential(): Promise<PemCredential>;
  /** Adopts the validity and key algorithm of new leaves. */
  adopt(settings: MeshSettings): void;
  rotateAll(): Promise<number>;
  /** Version of the identity's leaf; undefined before the first. */
  leafVersionOf(identity: Identity): string | undefined;
  close(): Promise<void>;
}

export interface MeshSecretsOptions {
  readonly caDir: string;
  readonly trustDomain: string;
  readonly osmNamespace: string;
  /** On a thread of its own, or on this one. */
  readonly hasThread: boolean;
  readonly settings: MeshSettings;
  readonly onChange: (identity: Identity) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Opens the CA, making one when there is none. Throws {@link StartError} when its files cannot be used. */
export async function openMeshSecrets(options: MeshSecretsOptions): Promise<MeshSecrets> {
  const pool = signerPool(options);
  const opened = await sign<OpenedAuthority>(pool, { kind: "open", nowMs: options.clock.now() });
  const issued = options.metrics.counter("osm_cert_issued_count", "Certificates issued");
  const leaves = keepLeaves(options, pool, bundleOf(opened), issued);
  const credential = async (names: CertificateNames): Promise<PemCredential> => {
    const leaf = leafRequest(names, CREDENTIAL_POLICY, options.clock.now());
    const { certificatePem, privateKeyPem } = await sign<SignedCredential>(pool, { kind: "credential", leaf });
    issued.add();
    return { certificatePem, privateKeyPem };
  };
  let policy = policyOf(options.settings);
  return {
    source: leaves.source,
    rootsPem: opened.rootsPem,
    proxyCredential: (sidecar) => credential(sidecarNames(sidecar, options.trustDomain)),
    serverCredential: () => credential(controllerNames(options)),
    adopt(settings) {
      const next = policyOf(settings);
      if (canonicalJson(next) === canonicalJson(policy)) return;
      policy = next;
      leaves.keeper.setPolicy(next);
    },
    rotateAll: () => leaves.keeper.rotateAll(),
    leafVersionOf(identity) {
      const leaf = leaves.keeper.current(identity);
      return leaf === undefined ? undefined : leafVersion(leaf);
    },
    async close() {
      leaves.keeper.stop();
      await pool.close();
    },
  };
}

/** The secrets of each identity in use, as resources. */
function keepLeaves(
  options: MeshSecretsOptions,
  pool: Pool<SignJob, SignResult>,
  bundle: Resource,
  issued: Counter,
): { readonly keeper: LeafKeeper; readonly source: SecretSource } {
  const tables = new Map<string, TableSecrets>();
  const keeper = createLeafKeeper({
    async issue(identity, policy) {
      const leaf = leafRequest(serviceNames(identity, options.trustDomain), policy, options.clock.now());
      const signed = await sign<SignedService>(pool, { kind: "service", leaf });
      issued.add();
      return { ...signed, secret: new Uint8Array(signed.secret) };
    },
    policy: policyOf(options.settings),
    onChange(identity, leaf) {
      const version = leafVersion(leaf);
      const resource: Resource = {
        typeUrl: TYPE_URLS.secret,
        name: SECRETS.serviceCertificate,
        version,
        bytes: leaf.secret,
      };
      tables.set(keyOf(identity), { resources: [resource, bundle] });
      options.onChange(identity);
    },
    clock: options.clock,
    random: options.random,
    log: options.log,
  });
  const source: SecretSource = {
    current: (identity) => tables.get(keyOf(identity)),
    want: (identity) => keeper.want(identity),
    retain(isAlive) {
      keeper.retain(isAlive);
      for (const key of tables.keys()) if (!isAlive(identityOf(key))) tables.delete(key);
    },
  };
  return { keeper, source };
}

function bundleOf(opened: OpenedAuthority): Resource {
  const bytes = new Uint8Array(opened.trustBundle);
  return { typeUrl: TYPE_URLS.secret, name: SECRETS.trustBundle, version: contentHash(bytes), bytes };
}

function leafRequest(names: CertificateNames, policy: LeafPolicy, nowMs: number): LeafRequest {
  const { keyAlgorithm, keyBits, validitySeconds } = policy;
  return { ...names, keyAlgorithm, keyBits, validityMs: validitySeconds * 1000, nowMs };
}

function signerPool(options: MeshSecretsOptions): Pool<SignJob, SignResult> {
  const reporting = { name: "sign", clock: options.clock, log: options.log, metrics: options.metrics };
  const data: SignerData = { caDir: options.caDir };
  if (!options.hasThread) {
    return inlinePool({
      ...reporting,
      load: async () => (await import("../../workers/sign.ts")).createSigner(data),
    });
  }
  return startPool({
    ...reporting,
    entry: new URL("../../workers/sign.ts", import.meta.url),
    function: "signInThread",
    threads: 1,
    timeoutMs: SIGN_TIMEOUT_MS,
    queueMax: SIGN_QUEUE_MAX,
    heapMaxMb: SIGNER_HEAP_MAX_MB,
    workerData: data,
  });
}

async function sign<Result extends SignResult>(pool: Pool<SignJob, SignResult>, job: SignJob): Promise<Result> {
  const result = await runTwice(pool, job);
  if (result.kind === "refused") throw new StartError(result.message);
  // The signer answers each kind of job with its own kind of result.
  return result as Result;
}

function policyOf({ certificate }: MeshSettings): LeafPolicy {
  return {
    keyAlgorithm: certificate.keyAlgorithm,
    keyBits: certificate.keyBits,
    validitySeconds: certificate.serviceCertValiditySeconds,
  };
}

const keyOf = ({ namespace, serviceAccount }: Identity) => `${namespace}/${serviceAccount}`;

function identityOf(key: string): Identity {
  const [namespace = "", serviceAccount = ""] = key.split("/");
  return { namespace, serviceAccount };
}
