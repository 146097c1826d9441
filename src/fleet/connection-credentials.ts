import process from "node:process";
import { createSecureContext, type SecureContext } from "node:tls";

export interface Credential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/**
 * What Envoy 1.40 offers by default, in its order and with the key shares that it sends (read from its ClientHello; `*` marks
 * a share). A server that takes another group makes both pay a further round trip. OpenSSL knows the first group, and the
 * mark, since 3.5; an older one, as that of Node 22.18, refuses the whole list. Deno offers what it has.
 */
const OFFERED = {
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
  ecdhCurve: offersKeyShares(process.versions.openssl) ? "*X25519MLKEM768:*X25519:P-256" : "X25519:P-256",
  minVersion: "TLSv1.3",
} as const;

/** Whether OpenSSL of this version lets a client choose its key shares. */
export function offersKeyShares(openssl: string | undefined): boolean {
  const [major = 0, minor = 0] = (openssl ?? "").split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 5);
}

/** The handle inside a context, as Node and Deno have it: no public interface, so it is looked at before it is used. */
interface NativeContext {
  setCert(pem: string): void;
  setKey(pem: string): void;
}

/**
 * TLS contexts of client certificates. Connections take certificate and key of a context when they are made, so one context
 * serves all proxies in turn: one of its own costs each of them 40 kB as long as it is connected, and 0.4 ms.
 */
export class CredentialContexts {
  readonly #rootsPem: string;
  #context: SecureContext | undefined;
  #current: Credential | undefined;

  constructor(rootsPem: string) {
    this.#rootsPem = rootsPem;
  }

  /** Good for connections made before the next call. Throws what OpenSSL says of PEMs that are none. */
  of(credential: Credential | undefined): SecureContext {
    const context = this.#context;
    if (context === undefined || credential === undefined || this.#current === undefined) {
      return this.#make(credential);
    }
    if (credential.certificatePem === this.#current.certificatePem) return context;
    const native = nativeContext(context);
    if (native === undefined) return this.#make(credential);
    this.#current = undefined;
    native.setCert(credential.certificatePem);
    native.setKey(credential.privateKeyPem);
    this.#current = credential;
    return context;
  }

  #make(credential: Credential | undefined): SecureContext {
    if (credential === undefined && this.#current === undefined && this.#context !== undefined) return this.#context;
    this.#current = credential;
    this.#context = createSecureContext({
      ca: this.#rootsPem,
      ...OFFERED,
      ...(credential === undefined ? {} : { cert: credential.certificatePem, key: credential.privateKeyPem }),
    });
    return this.#context;
  }
}

function nativeContext({ context }: SecureContext): NativeContext | undefined {
  const native = context as Partial<NativeContext> | undefined;
  const isKnown = typeof native?.setCert === "function" && typeof native.setKey === "function";
  return isKnown ? (native as NativeContext) : undefined;
}
