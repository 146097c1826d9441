/** Hostile sessions against a real control plane that serves honest proxies meanwhile: what they notice, and what it costs the server. */
import process from "node:process";
import { furtherAddress, serviceName, TARGET_PORT } from "../../src/fleet/world-objects.ts";
import { quantile } from "../measurement.ts";
import { type BenchMesh, openMesh, requireAll } from "../mesh.ts";
import { makeAuthority, SERVER_NAME } from "../mesh-authority.ts";
import { ENDPOINTS } from "../peers/contender.ts";
import { INSPECT, openProbe, type ProcessProbe } from "../process-probe.ts";
import type { Turns } from "../turn-work.ts";
import { type Attacker, startAttacker } from "./attacker.ts";
import type { HostileTarget } from "./run-sessions.ts";

export interface SiegeOptions {
  /** Hostile sessions in each of the rounds that are compared, after a first one that makes the server as large as it gets. */
  readonly sessions: number;
  readonly rounds: number;
  readonly atOnce: number;
  readonly perSecond: number;
  /** Each session has an address of its own (where the system has so many), so that no address is known for what came from it. */
  readonly isEachFromElsewhere?: boolean;
  /** Measures also what the same sessions cost honest proxies when they attack another server of ours on this machine. */
  readonly isComparedWithElsewhere?: boolean;
  readonly flags?: readonly string[];
}

/** From a change to its ACK, ms, by honest proxies: for each change. */
export type ChangeDelays = readonly (readonly number[])[];

export interface SiegeResult {
  /** In rest before each round, for as long as the rounds before took on average. */
  readonly quietMs: ChangeDelays;
  /** While another server is attacked: what attackers take of the machine that all share. Empty when that was not asked for. */
  readonly elsewhereMs: ChangeDelays;
  readonly besiegedMs: ChangeDelays;
  /** What the server's thread worked in each turn meanwhile; its own measure of both, whatever else the machine does. */
  readonly quietTurns: Turns;
  readonly besiegedTurns: Turns;
  /** Bytes of the server's objects and buffers after a collection, after the first round and each further one. */
  readonly heap: readonly number[];
  readonly residentBytes: readonly number[];
  /** Streams that the server counts at the end, beside the honest ones. */
  readonly strangersLeft: number;
  /** What honest proxies lost: streams and connections, by kind. */
  readonly errors: Readonly<Record<string, number>>;
  readonly endedByServer: number;
  readonly endedByUs: number;
  /** Hostile sessions in a second, the first round included. */
  readonly rate: number;
}

const SHAPE = {
  services: 5,
  pods: 4,
  namespaces: 2,
  mode: "permissive",
  calls: { kind: "all" },
  splits: 0,
  seed: 1,
} as const;
/** No divisor of how many kinds of sessions there are: each address sends all of them. */
const ADDRESSES = 53;
const PATIENCE_MS = 15_000;
const LINGER_MS = 100;
const CHANGE_MS = 30;

export async function siege(options: SiegeOptions): Promise<SiegeResult> {
  const close: (() => unknown)[] = [];
  try {
    const rounds = new Rounds(await takePlaces(options, close, addressesOf(options)), options);
    for (let round = 0; round <= options.rounds; round++) await rounds.next(round);
    return await rounds.result();
  } finally {
    for (const action of close.reverse()) await action();
  }
}

/** Who takes part. */
export interface Places {
  readonly mesh: BenchMesh;
  /** What is attacked, with the certificate of a proxy of the mesh that is not one of the honest. */
  readonly target: HostileTarget;
  readonly probe: ProcessProbe;
  readonly attacker: Attacker;
  /** Attacks the other server. */
  readonly diversion: Attacker | undefined;
  readonly honest: readonly number[];
}

/** Sets everything up that a siege needs, and begins none; hostile sessions come `from` these addresses in turn. What is to be closed is added to `close`. */
export async function takePlaces(
  options: Pick<SiegeOptions, "flags" | "isComparedWithElsewhere">,
  close: (() => unknown)[],
  from: readonly string[],
): Promise<Places> {
  const mesh = await openMesh(SHAPE, { nodeFlags: [INSPECT], flags: options.flags ?? [] });
  close.push(() => mesh.close());
  const foreign = await makeAuthority();
  close.push(() => foreign.close());
  const probe = await openProbe(mesh.plane.words());
  close.push(() => probe.close());
  const attackerOf = (on: HostileTarget) => {
    const attacker = startAttacker(on);
    close.push(() => attacker.close());
    return attacker;
  };
  const target = await targetOf(mesh, foreign, from);
  const attacker = attackerOf(target);
  const other = options.isComparedWithElsewhere ? await openOther(close) : undefined;
  const diversion = other === undefined ? undefined : attackerOf(await targetOf(other, foreign, from));
  // The last proxy is the one that behaves badly; the others are honest.
  const honest = mesh.proxies.slice(0, -1).map(({ id }) => id);
  requireAll("siege", await mesh.fleet.connect({ ids: honest }));
  return { mesh, target, probe, attacker, diversion, honest };
}

class Rounds {
  readonly #places: Places;
  readonly #options: SiegeOptions;
  readonly #quietMs: number[][] = [];
  readonly #elsewhereMs: number[][] = [];
  readonly #besiegedMs: number[][] = [];
  readonly #heap: number[] = [];
  readonly #residentBytes: number[] = [];
  #quietTurns = NO_TURNS;
  #besiegedTurns = NO_TURNS;
  #endedByServer = 0;
  #endedByUs = 0;
  #seconds = 0;
  #changes = 0;

  constructor(places: Places, options: SiegeOptions) {
    this.#places = places;
    this.#options = options;
  }

  /** The first, 0, is not compared with anything. */
  async next(round: number): Promise<void> {
    const { mesh, probe, attacker, honest } = this.#places;
    if (round > 0) await this.#restBefore(round);
    const { outcome, delays, turns } = await this.#changeDuring(attacker, round);
    if (round > 0) {
      this.#besiegedMs.push(...delays);
      this.#besiegedTurns = joined(this.#besiegedTurns, turns);
    }
    this.#endedByServer += outcome.endedByServer;
    this.#endedByUs += outcome.endedByUs;
    this.#seconds += outcome.seconds;
    await settledStreams(mesh, honest.length);
    this.#heap.push(await probe.heapAfterCollection());
    this.#residentBytes.push(await mesh.plane.metric("process_resident_memory_bytes"));
  }

  async result(): Promise<SiegeResult> {
    const { mesh, honest } = this.#places;
    const { rounds, sessions } = this.#options;
    const streams = await settledStreams(mesh, honest.length);
    const { errors } = await mesh.fleet.counts();
    return {
      quietMs: this.#quietMs,
      elsewhereMs: this.#elsewhereMs,
      besiegedMs: this.#besiegedMs,
      quietTurns: this.#quietTurns,
      besiegedTurns: this.#besiegedTurns,
      heap: this.#heap,
      residentBytes: this.#residentBytes,
      strangersLeft: streams - honest.length,
      errors,
      endedByServer: this.#endedByServer,
      endedByUs: this.#endedByUs,
      rate: ((rounds + 1) * sessions) / this.#seconds,
    };
  }

  async #restBefore(round: number): Promise<void> {
    const { probe, diversion } = this.#places;
    const endsAt = performance.now() + (this.#seconds / round) * 1000;
    await probe.turns();
    this.#quietMs.push(...(await this.#changeWhile(() => performance.now() < endsAt)));
    this.#quietTurns = joined(this.#quietTurns, await probe.turns());
    if (diversion !== undefined) this.#elsewhereMs.push(...(await this.#changeDuring(diversion, round)).delays);
  }

  async #changeDuring(by: Attacker, round: number) {
    const { probe } = this.#places;
    const { sessions: count, atOnce, perSecond } = this.#options;
    const before = round * count;
    await probe.turns();
    const attack = by.attack({ count, before, atOnce, perSecond, lingerMs: LINGER_MS, seed: round + 1 });
    // Until the last session begins: those that are not let in take some time to give up, in which the server rests.
    const endsAt = performance.now() + (count * 1000) / perSecond;
    const changing = async () => {
      const delays = await this.#changeWhile(() => performance.now() < endsAt);
      return { delays, turns: await probe.turns() };
    };
    const [outcome, changed] = await Promise.all([attack, changing()]);
    return { outcome, ...changed };
  }

  async #changeWhile(goesOn: () => boolean): Promise<number[][]> {
    const { mesh, honest } = this.#places;
    const delays: number[][] = [];
    while (goesOn()) delays.push(await changeOnce(mesh, honest, this.#changes++));
    return delays;
  }
}

const NO_TURNS: Turns = { workedMs: [], ms: 0 };

function joined(left: Turns, right: Turns): Turns {
  return { workedMs: left.workedMs.concat(right.workedMs), ms: left.ms + right.ms };
}

/** A server like the one that is besieged, whose proxies stay away. */
async function openOther(close: (() => unknown)[]): Promise<BenchMesh> {
  const other = await openMesh(SHAPE);
  close.push(() => other.close());
  return other;
}

/** The middle of the pooled delays, and the value that one of a hundred exceeds. */
export function delays(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...values].sort((left, right) => left - right);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

async function targetOf(
  { plane, authority, proxies, world }: BenchMesh,
  foreign: typeof authority,
  from: readonly string[],
): Promise<HostileTarget> {
  const proxy = proxies.at(-1);
  const [stranger] = await foreign.proxies(world.pods().slice(-1));
  const colon = plane.xds.lastIndexOf(":");
  const credentialOf = (spec: typeof proxy) => ({
    certificatePem: spec?.certificatePem ?? "",
    privateKeyPem: spec?.privateKeyPem ?? "",
  });
  return {
    host: plane.xds.slice(0, colon),
    port: Number(plane.xds.slice(colon + 1)),
    rootsPem: authority.rootsPem,
    serverName: SERVER_NAME,
    proxy: { ...credentialOf(proxy), uuid: proxy?.nodeId ?? "" },
    foreign: credentialOf(stranger),
    from,
  };
}

/** Honest proxies come from 127.0.0.1. All of 127.0.0.0/8 is this machine's on Linux, and that one address elsewhere. */
function addressesOf({ isEachFromElsewhere = false, rounds, sessions }: SiegeOptions): readonly string[] {
  if (process.platform !== "linux") return ["127.0.0.1"];
  const count = isEachFromElsewhere ? (rounds + 1) * sessions : ADDRESSES;
  return Array.from({ length: count }, (_, n) => `127.${1 + (n >> 14)}.${(n >> 7) & 127}.${1 + (n & 127)}`);
}

/** One endpoint moves; ms until each honest proxy has acknowledged it. */
async function changeOnce({ world, feed, fleet }: BenchMesh, proxies: readonly number[], n: number): Promise<number[]> {
  const service = n % world.services;
  const [pod] = world.podsOf(service);
  if (pod === undefined) throw new Error(`service ${service} has no pod`);
  // Few addresses that come again and again: what is made of them is in the caches after a while.
  const address = furtherAddress(n % (4 * world.services));
  const prepared = feed.prepare(world, world.movePod(pod, address));
  const name = `${world.namespace(service)}/${serviceName(service)}|${TARGET_PORT}`;
  await fleet.watch({ changeId: n, typeUrl: ENDPOINTS, name, contains: address, proxies });
  await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  const at = prepared.commit();
  const seen = await fleet.collect(n, PATIENCE_MS);
  if (seen.missing.length > 0) throw new Error(`${seen.missing.length} honest proxies never got change ${n}`);
  return [...seen.acknowledgedNs].map((acknowledged) => Number(acknowledged - at) / 1e6);
}

/** Streams that the server counts, once what has ended is gone. */
async function settledStreams({ plane }: BenchMesh, expected: number): Promise<number> {
  const endsAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const streams = await plane.metric("osm_proxy_connect_count");
    if (streams === expected || performance.now() > endsAt) return streams;
    await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  }
}
