/**
 * What the main thread and the workers say to each other. Only strings, numbers and buffers cross: cloning objects costs
 * the main thread more than encoding them, and Deno moves plain buffers alone at speed.
 */

/** Resources to generate, one for each view. */
export interface GenerateJob {
  /** Views as canonical JSON: the text whose hash is the cache key. */
  readonly views: readonly string[];
}
/** One resource: `frame[offset, offset + length)` are its bytes. */
export interface GeneratedEntry {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly offset: number;
  readonly length: number;
}
/** A view that could not be generated costs nothing but itself. */
export interface FailedEntry {
  readonly error: string;
}
export interface GenerateResult {
  /** All bytes, back to back. Moved, not copied. */
  readonly frame: ArrayBuffer;
  /** In the order of the job's views. */
  readonly entries: readonly (GeneratedEntry | FailedEntry)[];
}

/** A file that was parsed. */
export interface ParseResult {
  readonly isReadable: boolean;
  /** The rejections, as JSON. */
  readonly rejections: string;
  /** The objects as JSON lists in UTF-8, a few at a time, so that nobody has to take all of them at once. Moved. */
  readonly slices: readonly ArrayBuffer[];
}

/** What a signing worker is started with. It reads the CA itself, so that its key is in no other thread. */
export interface SignerData {
  readonly caDir: string;
  readonly trustDomain: string;
}
/** Names, key and life of a leaf. */
export interface LeafRequest {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly keyAlgorithm: "ECDSA" | "RSA";
  readonly keyBits: number;
  readonly validityMs: number;
  readonly nowMs: number;
}
/** Leaves for many identities at once, all alike but for the names. */
export interface ServiceLeavesRequest {
  /** `<namespace>/<service account>`. */
  readonly identities: readonly string[];
  readonly keyAlgorithm: "ECDSA" | "RSA";
  readonly keyBits: number;
  readonly validityMs: number;
  readonly nowMs: number;
}
/**
 * `open`: what the CA is, making it when there is none. `services`: leaves as the secrets that their proxies get.
 * `credential`: a leaf as PEM, for the xDS stream. `ticket-keys`: what seals TLS sessions in one epoch. `rotation`: whoever
 * opens the CA from now on is told that leaves issued until then are to be replaced.
 */
export type SignJob =
  | { readonly kind: "open"; readonly nowMs: number }
  | { readonly kind: "services"; readonly leaves: ServiceLeavesRequest }
  | { readonly kind: "credential"; readonly leaf: LeafRequest }
  | { readonly kind: "ticket-keys"; readonly epoch: number; readonly nowMs: number }
  | { readonly kind: "rotation"; readonly nowMs: number };

export interface OpenedAuthority {
  readonly kind: "opened";
  readonly rootsPem: string;
  readonly issuerId: string;
  readonly notAfterMs: number;
  /** When all leaves were last rotated; minus infinity for never. */
  readonly rotatedAtMs: number;
  /** The encoded secret by which proxies verify each other. */
  readonly trustBundle: ArrayBuffer;
  /** Authenticates versions of leaves, and can do nothing else. */
  readonly versionKey: ArrayBuffer;
}
export interface SignedServices {
  readonly kind: "services";
  /** The encoded secrets, keys included, back to back in the order of the identities. Moved, not copied. */
  readonly frame: ArrayBuffer;
  /** Where each secret ends in the frame; it begins where the one before ends. */
  readonly ends: readonly number[];
  readonly versions: readonly string[];
}
export interface SignedCredential {
  readonly kind: "credential";
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}
export interface DerivedTicketKeys {
  readonly kind: "ticket-keys";
  readonly keys: ArrayBuffer;
}
export interface RotationRemembered {
  readonly kind: "rotation-remembered";
}
/** The CA cannot be used; the message is a sentence for a person. Trying again does not help. */
export interface SigningRefused {
  readonly kind: "refused";
  readonly message: string;
}
export type SignResult =
  | OpenedAuthority
  | SignedServices
  | SignedCredential
  | DerivedTicketKeys
  | RotationRemembered
  | SigningRefused;

/** Resources to show to a person. */
export interface DescribeJob {
  readonly resources: readonly {
    readonly typeUrl: string;
    readonly name: string;
    readonly version: string;
    readonly bytes: ArrayBuffer;
  }[];
}
