/** Entry of the stream threads: connections of proxies, without the state of their streams. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, systemClock } from "../src/lib/mod.ts";
import { type StreamThreadData, serveStreamThread } from "../src/xds/threads/stream-thread.ts";

invariant(parentPort !== null, "this module is the entry of a thread");
serveStreamThread(parentPort, workerData as StreamThreadData, systemClock());
