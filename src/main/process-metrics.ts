import type { Metrics } from "../lib/mod.ts";

/** The basics that every Prometheus client library gives, and OSM's version gauge. */
export function observeProcess(metrics: Metrics, version: string): void {
  const startedAtSeconds = (performance.timeOrigin || Date.now()) / 1000;
  metrics.observed(
    "process_start_time_seconds",
    "Start time of the process since the Unix epoch in seconds",
    () => startedAtSeconds,
  );
  metrics.observed("process_resident_memory_bytes", "Resident memory size in bytes", () => process.memoryUsage.rss());
  metrics.observed("process_heap_bytes", "Size of the heap in use in bytes", () => process.memoryUsage().heapUsed);
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const cpuHelp = "Total user and system CPU time spent in seconds";
  metrics.observed("process_cpu_seconds_total", cpuHelp, cpuSeconds, "counter");
  metrics
    .gauge("osm_version_info", "Version of the control plane; always 1")
    .set(1, { version, build_date: "", git_commit: "" });
}
