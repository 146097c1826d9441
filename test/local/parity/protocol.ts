/** What a test and its program in a pod say to each other. */

export interface HttpCall {
  /** Connected to, and said as `Host` unless `headers` do. */
  readonly host: string;
  readonly port?: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  /** 0: the connection failed, with `error`. */
  readonly status: number;
  /** The program that answered. */
  readonly name: string;
  readonly said?: {
    readonly url?: string;
    readonly port?: number;
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly error?: string;
  readonly ms: number;
}

export interface TcpAnswer {
  readonly text: string;
  /** `ended`: closed or reset without a byte; `silent`: neither within seconds. */
  readonly end: "answered" | "ended" | "refused" | "silent";
  readonly ms: number;
}

export interface LoadReport {
  /** By status and program. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first that were not 200. */
  readonly failures: readonly string[];
}

/** TLS as the mesh speaks it, but by the program itself. */
export interface TlsCall {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  /** File of the folder with key and certificate. */
  readonly pem: string;
  readonly say?: string;
}

export type Command =
  | { readonly do: "http"; readonly call: HttpCall }
  | { readonly do: "tcp"; readonly host: string; readonly port: number; readonly say?: string }
  | { readonly do: "tls"; readonly call: TlsCall }
  | { readonly do: "grpc"; readonly host: string; readonly port: number; readonly say: string }
  | { readonly do: "websocket"; readonly url: string; readonly say: string }
  | { readonly do: "tally"; readonly call: HttpCall; readonly count: number }
  | { readonly do: "tally-tcp"; readonly host: string; readonly port: number; readonly count: number }
  | { readonly do: "start-load"; readonly name: string; readonly call: HttpCall }
  | { readonly do: "load-report"; readonly name: string }
  | { readonly do: "stop-load"; readonly name: string };

export interface Answer {
  readonly http: HttpAnswer;
  readonly tcp: TcpAnswer;
  readonly tls: TcpAnswer;
  readonly grpc: { readonly code: number; readonly text: string };
  readonly websocket: string;
  readonly tally: Readonly<Record<string, number>>;
  readonly "tally-tcp": Readonly<Record<string, number>>;
  readonly "start-load": Readonly<Record<string, never>>;
  readonly "load-report": LoadReport;
  readonly "stop-load": LoadReport;
}
