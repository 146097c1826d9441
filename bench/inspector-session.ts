/** Questions to one thread of a Node process by the protocol of its inspector: https://chromedevtools.github.io/devtools-protocol/ */

const ENDED = "the inspector's connection ended";

/** An answer has an id, a notification a method. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class InspectorSession {
  readonly #send: (text: string) => void;
  readonly #hear: (method: string, params: unknown) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #isOver = false;

  /** `hear` is told what the thread says without being asked. */
  constructor(send: (text: string) => void, hear: (method: string, params: unknown) => void) {
    this.#send = send;
    this.#hear = hear;
  }

  async call<Result>(method: string, params: object = {}): Promise<Result> {
    if (this.#isOver) throw new Error(ENDED);
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(++this.#count, answer);
    this.#send(JSON.stringify({ id: this.#count, method, params }));
    return (await answer.promise) as Result;
  }

  receive(text: string): void {
    const { id, method, params, result, error } = JSON.parse(text) as Message;
    if (method !== undefined) this.#hear(method, params);
    if (id === undefined) return;
    const asker = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) asker?.resolve(result);
    else asker?.reject(new Error(`the inspector refuses: ${error.message}`));
  }

  /** What was not answered fails, and so does what is asked from now on: nobody would answer. */
  end(): void {
    this.#isOver = true;
    for (const asker of this.#waiting.values()) asker.reject(new Error(ENDED));
    this.#waiting.clear();
  }
}
