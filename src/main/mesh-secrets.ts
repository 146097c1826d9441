import type { LeafRequest, OpenedAuthority } from "../../workers/messages.ts";
import {
  type CertificateNames,
  controllerNames,
  createLeafKeeper,
  createLeafVersions,
  type LeafKeeper,
  type LeafPolicy,
  type SidecarIdentity,
  sidecarNames,
  TICKET_EPOCH_MS,
  ticketEpochAt,
  type WorkloadIdentity,
} from "../ca/mod.ts";
import { SECRETS } from "../envoy/secrets.ts";
import { type Clock, canonicalJson, contentHash, type Log, type Metrics } from "../lib/mod.ts";
import type { Identity, MeshSettings } from "../mesh/mod.ts";
import type { SecretSource, TableSecrets } from "../push/mod.ts";
import { type Resource, TYPE_URLS } from "../xds/mod.ts";
import { createLeafBatches } from "./leaf-batches.ts";
import { createSignPool, type SignPool } from "./sign-pool.ts";

/**
 * Credentials for the xDS stream live as long as in OSM: they end with their pod. P-256 whatever the mesh's leaves are:
 * only the control plane and its proxies ever see them.
 */
const CREDENTIAL_POLICY: LeafPolicy = { keyAlgorithm: "ECDSA", keyBits: 2048, validitySeconds: 87_600 * 3600 };

export interface PemCredential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** What seals TLS sessions, and when it ends. */
export interface TicketKeys {
  /** 48 octets, as Node takes them. */
  readonly keys: Buffer;
  /** Milliseconds since the epoch. */
  readonly endsAtMs: number;
}

/** Everything that the mesh CA gives out. */
export interface MeshSecrets {
  readonly source: SecretSource;
  readonly rootsPem: string;
  /** A proxy's credential for its xDS stream. */
  proxyCredential(sidecar: SidecarIdentity): Promise<PemCredential>;
  /** The xDS server's own certificate. */
  serverCredential(): Promise<PemCredential>;
  /** The keys for TLS session tickets at that time: equal on every replica, and after a restart. */
  ticketKeys(nowMs: number): Promise<TicketKeys>;
  /** Adopts the validity and key algorithm of new leaves. */
  adopt(settings: MeshSettings): void;
  /** See `LeafKeeper.rotateAll`. It holds after a restart too, where the CA's folder can be written. */
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

/** Opens the CA, making one when there is none. Throws `StartError` when its files cannot be used. */
export async function openMeshSecrets(options: MeshSecretsOptions): Promise<MeshSecrets> {
  const pool = createSignPool(options);
  const opened = await pool.open(options.clock.now());
  const count = certificateMetrics(options.metrics);
  const { keeper, source } = keepLeaves(options, pool, opened, count);
  const credential = async (names: CertificateNames): Promise<PemCredential> => {
    const { certificatePem, privateKeyPem } = await pool.credential(credentialRequest(names, options.clock.now()));
    count.issued(1);
    return { certificatePem, privateKeyPem };
  };
  let policy = policyOf(options.settings);
  return {
    source,
    rootsPem: opened.rootsPem,
    proxyCredential: (sidecar) => credential(sidecarNames(sidecar, options.trustDomain)),
    serverCredential: () => credential(controllerNames(options)),
    async ticketKeys(nowMs) {
      const epoch = ticketEpochAt(nowMs);
      const { keys } = await pool.ticketKeys(epoch, nowMs);
      return { keys: Buffer.from(keys), endsAtMs: (epoch + 1) * TICKET_EPOCH_MS };
    },
    adopt(settings) {
      const next = policyOf(settings);
      if (canonicalJson(next) === canonicalJson(policy)) return;
      policy = next;
      keeper.setPolicy(next);
    },
    async rotateAll() {
      // Before anything is issued: who ends in the middle of it finishes it after the next start. What is issued in the same
      // millisecond is new.
      await pool.rememberRotation(options.clock.now() - 1).catch((error: unknown) => {
        options.log.error("a restart will forget this rotation: proxies that are away now may keep what they hold", {
          error: error instanceof Error ? error.message : String(error),
        });
      });
      return await keeper.rotateAll();
    },
    leafVersionOf: (identity) => keeper.current(identity)?.version,
    async close() {
      keeper.stop();
      await pool.close();
    },
  };
}

/** The secrets of each identity in use, as resources. */
function keepLeaves(
  options: MeshSecretsOptions,
  pool: SignPool,
  opened: OpenedAuthority,
  count: CertificateMetrics,
): { readonly keeper: LeafKeeper; readonly source: SecretSource } {
  const { trustDomain, clock } = options;
  const bundle = bundleOf(opened);
  const versions = createLeafVersions({ key: new Uint8Array(opened.versionKey), trustDomain });
  const tables = new Map<string, TableSecrets>();
  const keeper = createLeafKeeper({
    ...options,
    issue: createLeafBatches({ sign: pool.services, clock, onIssued: count.issued }),
    read(identity, version) {
      const facts = versions.read(identity, version);
      // A CA whose certificate was renewed has the same key, but proxies may not trust its old one any more.
      return facts?.issuerId === opened.issuerId ? facts : undefined;
    },
    policy: policyOf(options.settings),
    rotatedAtMs: opened.rotatedAtMs,
    onAccept: count.kept,
    onChange(identity) {
      tables.set(keyOf(identity), tableOf(identity));
      options.onChange(identity);
    },
  });
  const tableOf = (identity: WorkloadIdentity): TableSecrets => {
    const leaf = keeper.current(identity);
    return {
      resources: leaf === undefined ? [bundle] : [leafResource(leaf.version, leaf.secret), bundle],
      isAsGood: (name, version) => name === SECRETS.serviceCertificate && keeper.accept(identity, version),
      // Asking is what makes it: a proxy that holds a good one does not ask.
      isAwaited(name) {
        if (name !== SECRETS.serviceCertificate) return false;
        keeper.need(identity);
        return true;
      },
    };
  };
  const source: SecretSource = {
    current: (identity) => tables.get(keyOf(identity)),
    want(identity) {
      const key = keyOf(identity);
      if (tables.has(key)) return;
      keeper.want(identity);
      tables.set(key, tableOf(identity));
    },
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

function leafResource(version: string, bytes: Uint8Array): Resource {
  return { typeUrl: TYPE_URLS.secret, name: SECRETS.serviceCertificate, version, bytes };
}

function credentialRequest(names: CertificateNames, nowMs: number): LeafRequest {
  const { keyAlgorithm, keyBits, validitySeconds } = CREDENTIAL_POLICY;
  return { ...names, keyAlgorithm, keyBits, validityMs: validitySeconds * 1000, nowMs };
}

function policyOf({ certificate }: MeshSettings): LeafPolicy {
  return {
    keyAlgorithm: certificate.keyAlgorithm,
    keyBits: certificate.keyBits,
    validitySeconds: certificate.serviceCertValiditySeconds,
  };
}

interface CertificateMetrics {
  readonly issued: (count: number, seconds?: number) => void;
  readonly kept: () => void;
}

function certificateMetrics(metrics: Metrics): CertificateMetrics {
  const issued = metrics.counter("osm_cert_issued_count", "Certificates issued");
  const kept = metrics.counter(
    "osm_cert_kept_total",
    "Certificates that proxies went on with after a restart or a move between replicas",
  );
  const time = metrics.histogram(
    "osm_cert_issued_time",
    "Seconds from asking the signer for service certificates, up to 64 at once, to its answer",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10],
  );
  return {
    kept: () => kept.add(),
    issued(count, seconds) {
      issued.add(count);
      if (seconds !== undefined) time.observe(seconds);
    },
  };
}

const keyOf = ({ namespace, serviceAccount }: Identity) => `${namespace}/${serviceAccount}`;

function identityOf(key: string): Identity {
  const [namespace = "", serviceAccount = ""] = key.split("/");
  return { namespace, serviceAccount };
}
