/** The way to the signing worker: alone it holds the CA's key. */
import type {
  DerivedTicketKeys,
  LeafRequest,
  OpenedAuthority,
  RotationRemembered,
  ServiceLeavesRequest,
  SignedCredential,
  SignedServices,
  SignerData,
  SignJob,
  SignResult,
} from "../../workers/messages.ts";
import { inlinePool, type Pool, type PoolReporting, runTwice, startPool } from "../platform/mod.ts";
import { StartError } from "./options.ts";

const SIGN_TIMEOUT_MS = 20_000;
/** Bootstraps and leaves that wait at once. Leaves come in batches, so that this is far away. */
const SIGN_QUEUE_MAX = 100_000;
const SIGNER_HEAP_MAX_MB = 128;

/** Each answers one kind of job; throws {@link StartError} with a sentence when the CA cannot be used. */
export interface SignPool {
  open(nowMs: number): Promise<OpenedAuthority>;
  services(leaves: ServiceLeavesRequest): Promise<SignedServices>;
  credential(leaf: LeafRequest): Promise<SignedCredential>;
  ticketKeys(epoch: number, nowMs: number): Promise<DerivedTicketKeys>;
  /** Keeps the time for whoever opens the CA later: leaves issued until then are to be replaced. */
  rememberRotation(nowMs: number): Promise<RotationRemembered>;
  close(): Promise<void>;
}

/** Signs with the CA that `SignerData` names, on a thread of its own or on this one. */
export function createSignPool(
  options: SignerData & { readonly hasThread: boolean } & Omit<PoolReporting, "name">,
): SignPool {
  const { caDir, trustDomain, hasThread, clock, log, metrics } = options;
  const pool = startSigner({ name: "sign", clock, log, metrics }, { caDir, trustDomain }, hasThread);
  const sign = async <Result extends SignResult>(job: SignJob): Promise<Result> => {
    const result = await runTwice(pool, job);
    if (result.kind === "refused") throw new StartError(result.message);
    // The signer answers each kind of job with its own kind of result.
    return result as Result;
  };
  return {
    open: (nowMs) => sign({ kind: "open", nowMs }),
    services: (leaves) => sign({ kind: "services", leaves }),
    credential: (leaf) => sign({ kind: "credential", leaf }),
    ticketKeys: (epoch, nowMs) => sign({ kind: "ticket-keys", epoch, nowMs }),
    rememberRotation: (nowMs) => sign({ kind: "rotation", nowMs }),
    close: () => pool.close(),
  };
}

function startSigner(reporting: PoolReporting, data: SignerData, hasThread: boolean): Pool<SignJob, SignResult> {
  if (!hasThread) {
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
