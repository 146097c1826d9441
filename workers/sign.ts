/** Entry of the signing worker, the only one that holds the CA's key. */
import { workerData } from "node:worker_threads";
import { type Authority, AuthorityError, openAuthorityFolder } from "../src/ca/mod.ts";
import { encodeServiceCertificate, encodeTrustBundle, SECRETS } from "../src/envoy/secrets.ts";
import type { LeafRequest, SignerData, SignJob, SignResult } from "./messages.ts";

/** Creates the function that answers signing jobs with the CA in `data.caDir`, which it opens at the first job. */
export function createSigner(data: SignerData): (job: SignJob) => Promise<SignResult> {
  let opened: Promise<Authority> | undefined;
  const open = (nowMs: number): Promise<Authority> => {
    opened ??= openAuthorityFolder(data.caDir, nowMs).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return async (job) => {
    try {
      return await answer(job, open);
    } catch (error) {
      if (error instanceof AuthorityError) return { kind: "refused", message: error.message };
      throw error;
    }
  };
}

/** {@link createSigner} for a thread that was started with {@link SignerData}. */
export const signInThread = createSigner(workerData as SignerData);

async function answer(job: SignJob, open: (nowMs: number) => Promise<Authority>): Promise<SignResult> {
  if (job.kind === "open") {
    const { rootsPem, issuerId, notAfterMs } = await open(job.nowMs);
    const trustBundle = ownBuffer(encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem }));
    return { kind: "opened", rootsPem, issuerId, notAfterMs, trustBundle };
  }
  const { certificatePem, privateKeyPem, ...issued } = await issue(job.leaf, open);
  if (job.kind === "credential") {
    return { kind: "credential", ...issued, certificatePem, privateKeyPem: privateKeyPem.reveal() };
  }
  const secret = encodeServiceCertificate({
    name: SECRETS.serviceCertificate,
    certificateChainPem: certificatePem,
    privateKeyPem: privateKeyPem.reveal(),
  });
  return { kind: "service", ...issued, secret: ownBuffer(secret) };
}

async function issue(leaf: LeafRequest, open: (nowMs: number) => Promise<Authority>) {
  const authority = await open(leaf.nowMs);
  return await authority.issue(leaf);
}

/** Encoders give views of pooled memory; what crosses to another thread must be alone in its buffer. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
