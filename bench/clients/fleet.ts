import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ClientCredential } from "./delta-client.ts";
import type { ClientCounts, FromClients, ToClients } from "./messages.ts";

/** Longest that the clients may take for one thing. */
const PATIENCE_MS = 30_000;

type Answer<T extends FromClients["type"]> = Extract<FromClients, { type: T }>;

/** The bench's end of the process of clients. One request at a time. */
export class Fleet {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("./clients-process.ts", import.meta.url)), {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  /** Resolves when every client has all that it asked for. */
  async connect(address: string, credentials: readonly ClientCredential[], watch: string): Promise<void> {
    const complete = this.#next("complete");
    this.#tell({ type: "connect", address, credentials, watch });
    await complete;
  }

  async reconnect(): Promise<void> {
    const complete = this.#next("complete");
    this.#tell({ type: "reconnect" });
    await complete;
  }

  /** The next change of the watched endpoints, once every client has acknowledged it. */
  changed(): Promise<Answer<"changed">> {
    return this.#next("changed");
  }

  async counts(): Promise<ClientCounts> {
    const counted = this.#next("counted");
    this.#tell({ type: "count" });
    return (await counted).counts;
  }

  stop(): void {
    this.#child.kill();
  }

  #tell(message: ToClients): void {
    this.#child.send(message);
  }

  #next<T extends FromClients["type"]>(type: T): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.#child.off("message", hear);
        this.#child.off("exit", leave);
        action();
      };
      const hear = (message: FromClients) => {
        if (message.type === "failed") settle(() => reject(new Error(message.message)));
        else if (message.type === type) settle(() => resolve(message as Answer<T>));
      };
      const leave = () => settle(() => reject(new Error("the process of the clients ended")));
      const timer = setTimeout(
        () => settle(() => reject(new Error(`the clients did not say "${type}" within ${PATIENCE_MS} ms`))),
        PATIENCE_MS,
      );
      this.#child.on("message", hear);
      this.#child.on("exit", leave);
    });
  }
}
