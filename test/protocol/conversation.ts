import {
  createStream,
  DEFAULT_STREAM_LIMITS,
  type DeltaRequest,
  type RefusalMemory,
  refusalMemory,
  type SotwRequest,
  type Step,
  type StreamInput,
  type StreamState,
  sharedResponses,
  step,
  tableDifference,
} from "../../src/xds/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../../src/xds/resource.ts";

/** Short names of the types, as in Envoy's documents. */
export const TYPES: Readonly<Record<string, TypeUrl>> = {
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoints,
  lds: TYPE_URLS.listener,
  rds: TYPE_URLS.route,
  sds: TYPE_URLS.secret,
};

/** The names under which the scripted proxy's credential is known. */
const UUID = "3f5c9c1e-0000-4000-8000-000000000001";
const NODE_IDS = [UUID, `${UUID}.sidecar.bookbuyer.shop.cluster.local`];

/** What a table says beside its resources; keys are `type/name`, and `type/name=version`. */
export interface TableWords {
  readonly asGood: ReadonlySet<string>;
  readonly awaited: ReadonlySet<string>;
}

/** A table made of `type/name=version` entries; the bytes are the version. */
export function tableOf(generation: number, entries: ReadonlyMap<string, string>, words?: TableWords): ResourceTable {
  const types = new Map<TypeUrl, Map<string, Resource>>();
  for (const [key, version] of entries) {
    const [short = "", name = ""] = splitOnce(key, "/");
    const typeUrl = typeOf(short) as TypeUrl;
    const resources = types.get(typeUrl) ?? new Map<string, Resource>();
    types.set(typeUrl, resources);
    resources.set(name, { typeUrl, name, version, bytes: new TextEncoder().encode(version) });
  }
  const names = new Map([...types].map(([typeUrl, resources]) => [typeUrl, new Set(resources.keys())]));
  return {
    generation,
    get: (typeUrl, name) => types.get(typeUrl)?.get(name),
    // Every other table says the same names as one object, which has short ways, or as a new one each time, which has none.
    names: (typeUrl) => (generation % 2 === 0 ? names.get(typeUrl) : undefined) ?? new Set(types.get(typeUrl)?.keys()),
    isAsGood: (typeUrl, name, version) => words?.asGood.has(`${shortOf(typeUrl)}/${name}=${version}`) ?? false,
    isAwaited: (typeUrl, name) => words?.awaited.has(`${shortOf(typeUrl)}/${name}`) ?? false,
  };
}

/**
 * Runs commands against the protocol and says what it does. One conversation is one proxy with one stream at a time;
 * `README.md` beside this file lists the commands.
 */
export class Conversation {
  #memory: RefusalMemory = refusalMemory();
  #difference = tableDifference();
  #responses = sharedResponses();
  #protocol: "delta" | "sotw" = "delta";
  #entries = new Map<string, string>();
  #table: ResourceTable | undefined;
  #stream: StreamState | undefined;
  #limits = DEFAULT_STREAM_LIMITS;
  /** Nonce of the newest response by type, with its version. */
  #newest = new Map<string, { nonce: string; version: string }>();
  /** State of the world: last accepted version by type. */
  #accepted = new Map<string, string>();
  #names = new Map<string, readonly string[]>();

  run(command: string): string {
    const [verb = "", ...words] = command.match(/"[^"]*"|[^\s"]+/g) ?? [];
    switch (verb) {
      case "open":
        return this.#open(words);
      case "limits":
        this.#limits = { ...this.#limits, ...Object.fromEntries(words.map(limit)) };
        return "ok\n";
      case "table":
        this.#entries = new Map();
        return this.#change(words);
      case "edit":
        return this.#change(words);
      case "quiet":
        return this.#give({ kind: "quiet" });
      case "request":
      case "ack":
      case "nack":
        return this.#request(verb, words);
      default:
        throw new Error(`no such command: ${command}`);
    }
  }

  #open(words: readonly string[]): string {
    this.#protocol = words[0] === "sotw" ? "sotw" : "delta";
    if (words.includes("other-proxy")) this.#memory = refusalMemory();
    this.#newest.clear();
    this.#names.clear();
    this.#stream = createStream({
      protocol: this.#protocol,
      nodeIds: NODE_IDS,
      memory: this.#memory,
      difference: this.#difference,
      responses: this.#responses,
      limits: this.#limits,
    });
    return this.#table === undefined ? "ok\n" : this.#giveTable(this.#table);
  }

  #giveTable(table: ResourceTable): string {
    const done = this.#give({ kind: "table", table });
    return done === "(nothing)\n" ? "ok\n" : done;
  }

  #change(words: readonly string[]): string {
    const [asGood, awaited] = [new Set<string>(), new Set<string>()];
    for (const word of words.slice(1)) {
      if (word.startsWith("as-good:")) asGood.add(word.slice("as-good:".length));
      else if (word.startsWith("awaited:")) awaited.add(word.slice("awaited:".length));
      else if (word.startsWith("-")) this.#entries.delete(word.slice(1));
      else this.#entries.set(...(splitOnce(word, "=") as [string, string]));
    }
    this.#table = tableOf(Number(words[0]), this.#entries, { asGood, awaited });
    return this.#stream === undefined ? "ok\n" : this.#give({ kind: "table", table: this.#table });
  }

  #request(verb: string, words: readonly string[]): string {
    const [short = "", ...rest] = words;
    const options = new Map(
      rest.filter((word) => /^(node|nonce|version|held|many)=/.test(word)).map((word) => splitOnce(word, "=")),
    );
    const quoted = rest.find((word) => word.startsWith('"'));
    const names = rest.filter((word) => !word.includes("=") && !word.startsWith('"'));
    const newest = this.#newest.get(short);
    const common = {
      typeUrl: typeOf(short),
      nodeId: options.get("node")?.replace("own", NODE_IDS[1] ?? "") ?? "",
      nonce: options.get("nonce")?.slice(1) ?? (verb === "request" ? "" : (newest?.nonce ?? "")),
      error: verb === "nack" ? (quoted ?? "").replaceAll('"', "") : undefined,
    };
    const many = Array.from({ length: Number(options.get("many") ?? 0) }, (_, n) => `name-${n}`);
    if (this.#protocol === "sotw")
      return this.#sotwRequest(verb, short, common, [...names, ...many], options.get("version"));
    const request: DeltaRequest = {
      kind: "delta-request",
      ...common,
      subscribe: [...names.filter((name) => name.startsWith("+")).map((name) => name.slice(1)), ...many],
      unsubscribe: names.filter((name) => name.startsWith("-")).map((name) => name.slice(1)),
      initialVersions: new Map(
        (options.get("held") ?? "")
          .split(",")
          .filter(Boolean)
          .map((pair) => splitOnce(pair, ":")),
      ),
    };
    return this.#give(request);
  }

  #sotwRequest(
    verb: string,
    short: string,
    common: Pick<SotwRequest, "typeUrl" | "nodeId" | "nonce" | "error">,
    names: readonly string[],
    version: string | undefined,
  ): string {
    if (verb === "ack") this.#accepted.set(short, this.#newest.get(short)?.version ?? "");
    if (names.length > 0 || verb === "request") this.#names.set(short, names);
    return this.#give({
      kind: "sotw-request",
      ...common,
      version: version ?? this.#accepted.get(short) ?? "",
      names: this.#names.get(short) ?? [],
    });
  }

  #give(input: StreamInput): string {
    if (this.#stream === undefined) throw new Error("open a stream first");
    const done = step(this.#stream, input);
    for (const { typeUrl, nonce, version } of done.responses) this.#newest.set(shortOf(typeUrl), { nonce, version });
    return told(done);
  }
}

function told({ verdicts, responses, settledGeneration, end }: Step): string {
  const lines: string[] = [];
  for (const verdict of verdicts) {
    if (verdict.kind === "held") {
      lines.push(`holds ${shortOf(verdict.typeUrl)} of ${verdict.generation}`);
      continue;
    }
    const what = `${shortOf(verdict.response.typeUrl)} n${verdict.response.nonce}`;
    lines.push(
      verdict.kind === "acked" ? `acked ${what}` : `nacked ${what} ${verdict.names.join(" ")}: ${verdict.message}`,
    );
  }
  for (const { typeUrl, nonce, version, resources, removed, requiredResends } of responses) {
    const parts = resources.map((resource) => `${resource.name}=${resource.version}`);
    if (removed.length > 0) parts.push(`removed: ${removed.join(" ")}`);
    if (requiredResends > 0) parts.push(`(required resends: ${requiredResends})`);
    lines.push(`send ${shortOf(typeUrl)} n${nonce} version ${version}: ${parts.join(" ") || "(empty)"}`);
  }
  if (settledGeneration !== undefined) lines.push(`settled ${settledGeneration}`);
  if (end !== undefined) lines.push(`end ${end.code}: ${end.message}`);
  return `${lines.join("\n") || "(nothing)"}\n`;
}

function typeOf(short: string): string {
  return TYPES[short] ?? `type.googleapis.com/${short}`;
}

function shortOf(typeUrl: string): string {
  const known = Object.entries(TYPES).find(([, url]) => url === typeUrl);
  return known?.[0] ?? typeUrl.replace("type.googleapis.com/", "");
}

function limit(word: string): [string, number] {
  const [name, value] = splitOnce(word, "=");
  return [name, Number(value)];
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
