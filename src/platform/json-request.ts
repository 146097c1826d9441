import { http } from "./http.ts";

/** Where a JSON API of the mesh's own processes listens. */
export type ApiAddress = { readonly host: string; readonly port: number } | { readonly socketPath: string };

export interface Question {
  readonly address: ApiAddress;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** A connection on which nothing happens for so long is given up; without it only `signal` ends the wait. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A question that was not answered with status 200 and JSON. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  /**
   * `unreachable`: nobody there, or the way broke off; `cause` has the system's code. `refused`: our own API says why in
   * `message`. `foreign`: what answered is no API of ours.
   */
  readonly code: "unreachable" | "refused" | "foreign";

  constructor(code: RequestError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const ANSWER_MAX_BYTES = 64 << 20;

/** Asks once, on a connection of its own. Rejects with {@link RequestError}. */
export function requestJson(question: Question): Promise<unknown> {
  const { address, method, path, timeoutMs, signal } = question;
  const where = describeAddress(address);
  const body = question.body === undefined ? undefined : JSON.stringify(question.body);
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(new RequestError("unreachable", `${method} ${path} at ${where}: ${cause.message}`, { cause }));
    const request = http.request({
      ...address,
      method,
      path,
      agent: false,
      headers:
        body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on("error", failed);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("error", failed);
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > ANSWER_MAX_BYTES) response.destroy(new Error(`more than ${ANSWER_MAX_BYTES} bytes`));
      });
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode !== 200) {
          const sentence = sentenceOf(text);
          reject(
            sentence === undefined
              ? new RequestError("foreign", `${where} answered with status ${response.statusCode}`)
              : new RequestError("refused", sentence),
          );
          return;
        }
        try {
          resolve(JSON.parse(text));
        } catch (cause) {
          reject(new RequestError("foreign", `${where} answered something that is no JSON`, { cause }));
        }
      });
    });
    request.end(body);
  });
}

/** How a person writes the address. */
export function describeAddress(address: ApiAddress): string {
  if ("socketPath" in address) return address.socketPath;
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What our own APIs say beside a status that is not 200: `{"error": SENTENCE}`. */
function sentenceOf(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    // Somebody else's server.
    return undefined;
  }
}
