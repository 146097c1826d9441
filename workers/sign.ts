/** Entry of the signing worker, the only one that holds the CA's key. */
import { workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import {
  type Authority,
  AuthorityError,
  createLeafVersions,
  type LeafVersions,
  openAuthorityFolder,
  readLastRotation,
  serviceNames,
  ticketKeysOf,
  VERSION_KEY,
  writeLastRotation,
} from "../src/ca/mod.ts";
import { encodeServiceCertificate, encodeTrustBundle, SECRETS } from "../src/envoy/secrets.ts";
import type {
  OpenedAuthority,
  ServiceLeavesRequest,
  SignedCredential,
  SignedServices,
  SignerData,
  SignJob,
  SignResult,
} from "./messages.ts";

/** An authority with what is made of it once. */
interface Opened {
  readonly authority: Authority;
  readonly caDir: string;
  readonly versions: LeafVersions;
  readonly trustDomain: string;
}

/** Creates the function that answers signing jobs with the CA in `data.caDir`, which it opens at the first job. */
export function createSigner(data: SignerData): (job: SignJob) => Promise<SignResult> {
  let opened: Promise<Opened> | undefined;
  const open = (nowMs: number): Promise<Opened> => {
    opened ??= openSigner(data, nowMs).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return async (job) => {
    try {
      return await answer(job, await open(timeOf(job)));
    } catch (error) {
      if (error instanceof AuthorityError) return { kind: "refused", message: error.message };
      throw error;
    }
  };
}

const signer = createSigner(workerData as SignerData);

/** {@link createSigner} for a thread that was started with {@link SignerData}; frames are moved. */
export async function signInThread(job: SignJob): Promise<unknown> {
  const result = await signer(job);
  return result.kind === "services" ? move({ [transferableSymbol]: [result.frame], [valueSymbol]: result }) : result;
}

function timeOf(job: SignJob): number {
  if (job.kind === "services") return job.leaves.nowMs;
  return job.kind === "credential" ? job.leaf.nowMs : job.nowMs;
}

async function openSigner({ caDir, trustDomain }: SignerData, nowMs: number): Promise<Opened> {
  const authority = await openAuthorityFolder(caDir, nowMs);
  const versions = createLeafVersions({ key: versionKeyOf(authority), trustDomain });
  return { authority, caDir, versions, trustDomain };
}

async function answer(job: SignJob, opened: Opened): Promise<SignResult> {
  const { authority } = opened;
  switch (job.kind) {
    case "open":
      return describe(authority, await readLastRotation(opened.caDir));
    case "services":
      return await issueServices(opened, job.leaves);
    case "credential": {
      const { certificatePem, privateKeyPem } = await authority.issue(job.leaf);
      return { kind: "credential", certificatePem, privateKeyPem: privateKeyPem.reveal() } satisfies SignedCredential;
    }
    case "ticket-keys":
      return { kind: "ticket-keys", keys: ownBuffer(ticketKeysOf(authority.derive, job.epoch)) };
    case "rotation":
      await writeLastRotation(opened.caDir, job.nowMs);
      return { kind: "rotation-remembered" };
  }
}

function versionKeyOf({ derive }: Authority): Uint8Array {
  return derive(VERSION_KEY.purpose, VERSION_KEY.bytes);
}

function describe(authority: Authority, rotatedAtMs: number): OpenedAuthority {
  const { rootsPem, issuerId, notAfterMs } = authority;
  const trustBundle = ownBuffer(encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem }));
  const versionKey = ownBuffer(versionKeyOf(authority));
  return { kind: "opened", rootsPem, issuerId, notAfterMs, rotatedAtMs, trustBundle, versionKey };
}

async function issueServices(opened: Opened, request: ServiceLeavesRequest): Promise<SignedServices> {
  const { authority, versions, trustDomain } = opened;
  const { identities, keyAlgorithm, keyBits, validityMs, nowMs } = request;
  const secrets: Uint8Array[] = [];
  const written: string[] = [];
  const ends: number[] = [];
  let end = 0;
  for (const text of identities) {
    const [namespace = "", serviceAccount = ""] = text.split("/");
    const identity = { namespace, serviceAccount };
    const names = serviceNames(identity, trustDomain);
    const leaf = await authority.issue({ ...names, keyAlgorithm, keyBits, validityMs, nowMs });
    const secret = encodeServiceCertificate({
      name: SECRETS.serviceCertificate,
      certificateChainPem: leaf.certificatePem,
      privateKeyPem: leaf.privateKeyPem.reveal(),
    });
    end += secret.length;
    secrets.push(secret);
    ends.push(end);
    const { issuerId, serial, notAfterMs } = leaf;
    written.push(versions.write(identity, { issuerId, serial, notAfterMs, issuedMs: nowMs }));
  }
  const frame = new Uint8Array(end);
  for (const [position, secret] of secrets.entries()) frame.set(secret, ends[position - 1] ?? 0);
  return { kind: "services", frame: frame.buffer, ends, versions: written };
}

/** Encoders give views of pooled memory; what crosses to another thread must be alone in its buffer. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
