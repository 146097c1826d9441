import type { Container, Probe } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import type { ProbeOutcome } from "./probe.ts";
import { probeLoop } from "./probe-loop.ts";

/** What the probes of a running container have found so far. */
export interface ContainerHealth {
  /** Every probe that it has lets it take traffic. */
  isReady(): boolean;
  stop(): void;
}

export interface HealthOptions {
  readonly container: Container;
  readonly clock: Clock;
  readonly carryOut: (probe: Probe) => Promise<ProbeOutcome>;
  /** Its readiness has changed; `why` is empty when it is ready. */
  readonly onReadiness: (why: string) => void;
  /** It is to be started again. */
  readonly onUnhealthy: (why: string) => void;
}

/** Probes a container from its start on: startup first, then liveness and readiness. A probe that it lacks counts as passed. */
export function watchHealth(options: HealthOptions): ContainerHealth {
  const { startupProbe, livenessProbe, readinessProbe } = options.container;
  const loops: { stop(): void }[] = [];
  let isReady = false;
  const repeat = (probe: Probe, onChange: (isPassing: boolean, message: string) => void) => {
    loops.push(probeLoop({ probe, clock: options.clock, carryOut: () => options.carryOut(probe), onChange }));
  };
  const heard = (isPassing: boolean, message: string) => {
    isReady = isPassing;
    options.onReadiness(isPassing ? "" : `readiness probe failed: ${message}`);
  };
  const started = () => {
    if (livenessProbe !== undefined) {
      repeat(livenessProbe, (isAlive, message) => {
        if (!isAlive) options.onUnhealthy(`liveness probe failed: ${message}`);
      });
    }
    if (readinessProbe === undefined) heard(true, "");
    else repeat(readinessProbe, heard);
  };
  if (startupProbe === undefined) {
    started();
  } else {
    let hasStarted = false;
    repeat(startupProbe, (isPassing, message) => {
      if (hasStarted) return;
      hasStarted = isPassing;
      if (isPassing) started();
      else options.onUnhealthy(`startup probe failed: ${message}`);
    });
  }
  return {
    isReady: () => isReady,
    stop() {
      for (const loop of loops) loop.stop();
    },
  };
}
