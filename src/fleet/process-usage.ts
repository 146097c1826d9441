import { monitorEventLoopDelay } from "node:perf_hooks";
import process from "node:process";
import type { ProcessUsage } from "./fleet-api.ts";

/** Watches what this process costs. Each reading says the loop's delay since the one before. */
export function processUsage(): { read(): ProcessUsage; stop(): void } {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return {
    read() {
      const { user, system } = process.cpuUsage();
      const usage = {
        pid: process.pid,
        cpuSeconds: (user + system) / 1e6,
        rssBytes: process.memoryUsage.rss(),
        // The histogram counts the timer's own interval as delay.
        loopDelayP999Ms: Math.max(0, delay.percentile(99.9) / 1e6 - 5),
        loopDelayMaxMs: Math.max(0, delay.max / 1e6 - 5),
      };
      delay.reset();
      return usage;
    },
    stop: () => void delay.disable(),
  };
}
