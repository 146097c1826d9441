/**
 * Hostile sessions from a process of their own, which gets the processor only when nobody else wants it: on one machine
 * they would otherwise take from honest proxies what they could not take from elsewhere.
 */
import { type ChildProcess, fork } from "node:child_process";
import { constants, setPriority } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { randomNumbers } from "../../src/fleet/shape.ts";
import { type HostileOptions, type HostileTarget, runHostileSessions } from "./run-sessions.ts";

export type Attack = Omit<HostileOptions, "random"> & { readonly seed: number };

/** How many sessions the server ended, and how many it let be until we ended them. */
export interface AttackOutcome {
  readonly endedByServer: number;
  readonly endedByUs: number;
  /** Until the last of them began. */
  readonly seconds: number;
}

export interface Attacker {
  attack(attack: Attack): Promise<AttackOutcome>;
  close(): void;
}

interface Order {
  readonly target: HostileTarget;
  readonly attack: Attack;
}

export function startAttacker(target: HostileTarget): Attacker {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return {
    attack: (attack) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error("the hostile process is gone"));
        child.once("exit", onExit);
        child.once("message", (outcome) => {
          child.off("exit", onExit);
          resolve(outcome as AttackOutcome);
        });
        child.send({ target, attack } satisfies Order);
      }),
    close: () => void child.kill("SIGKILL"),
  };
}

async function obey({ target, attack }: Order): Promise<AttackOutcome> {
  const { endedByServer, endedByUs, beganWithinMs } = await runHostileSessions(target, {
    ...attack,
    random: randomNumbers(attack.seed),
  });
  return { endedByServer: total(endedByServer), endedByUs: total(endedByUs), seconds: beganWithinMs / 1000 };
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setPriority(constants.priority.PRIORITY_LOW);
  process.on("disconnect", () => process.exit());
  process.on("message", (order) => void obey(order as Order).then((outcome) => process.send?.(outcome)));
}
