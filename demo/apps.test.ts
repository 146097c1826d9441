import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import type { AppReport } from "./apps/demo-app.ts";
import { programs } from "./steps.ts";

/** The programs, by path, so that a missing one is noticed here. */
const paths = [
  "demo/apps/bookbuyer.ts",
  "demo/apps/bookthief.ts",
  "demo/apps/bookstore.ts",
  "demo/apps/bookwarehouse.ts",
  "demo/apps/database.ts",
];
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

interface App {
  readonly port: string;
  /** Resolves with the first report that satisfies `wanted`. */
  report(wanted: (report: AppReport) => boolean): Promise<AppReport>;
  stop(): Promise<number | null>;
}

async function start(file: string, env: Record<string, string>): Promise<App> {
  const path = fileURLToPath(new URL(`./apps/${file}`, import.meta.url));
  // Deno needs to be told that a program may do what a program in a container may.
  const flags = "Deno" in globalThis ? ["run", "-A"] : [];
  const local = { BOOKSTORE_NAMESPACE: "", BOOKWAREHOUSE_NAMESPACE: "", BOOKSTORE_SVC: "127.0.0.1" };
  const services = { BOOKWAREHOUSE_SVC: "127.0.0.1", MYSQL_SVC: "127.0.0.1", DATABASE_START_SECONDS: "0" };
  const child = spawn(process.execPath, [...flags, path, "--port", "0"], {
    env: { ...process.env, ...local, ...services, CI_SLEEP_BETWEEN_REQUESTS_SECONDS: "0.02", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const wake of waiting) wake();
  });
  const find = <T>(match: (line: string) => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      let next = 0;
      const look = () => {
        for (; next < lines.length; next++) {
          const found = match(lines[next] ?? "");
          if (found === undefined) continue;
          waiting.delete(look);
          return resolve(found);
        }
      };
      waiting.add(look);
      look();
    });
  return {
    port: await find((line) => / listens on (\d+)$/.exec(line)?.[1]),
    report: (wanted) =>
      find((line) => {
        const report = line.startsWith("{") ? (JSON.parse(line) as AppReport) : undefined;
        return report !== undefined && wanted(report) ? report : undefined;
      }),
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        // Deno reports a child as killed once `child.kill` was called, however it ended.
        if (child.pid !== undefined) process.kill(child.pid, "SIGTERM");
      }),
  };
}

test("there is a program for every image of the manifests", () => {
  expect(Object.values(programs).map((file) => `demo/apps/${file}`)).toEqual(paths);
});

test("books are bought, restocked and stored, and everybody's answers are counted", async () => {
  const database = await start("database.ts", {});
  const warehouse = await start("bookwarehouse.ts", { MYSQL_SVC_PORT: database.port });
  const store = await start("bookstore.ts", { IDENTITY: "bookstore-v1", BOOKWAREHOUSE_SVC_PORT: warehouse.port });
  const buyer = await start("bookbuyer.ts", { BOOKSTORE_SVC_PORT: store.port });
  const called = (to: string, answeredBy: string, outcome: string) => (report: AppReport) =>
    report.calls.some((c) => c.to === to && c.answeredBy === answeredBy && c.outcome === outcome && c.count > 2);
  await buyer.report(called("127.0.0.1", "bookstore-v1", "200"));
  await store.report(called("127.0.0.1", "bookwarehouse", "200"));
  await warehouse.report(called("127.0.0.1", "127.0.0.1", "stored"));
  const raw = async (app: App) => (await (await fetch(`http://127.0.0.1:${app.port}/raw`)).json()) as object;
  expect(await raw(buyer)).toMatchObject({ booksBoughtV2: 0, booksBoughtV1: expect.any(Number) });
  expect(await raw(store)).toMatchObject({ booksSold: expect.any(Number) });

  await warehouse.stop();
  await store.report(called("127.0.0.1", "", "refused"));
  expect(await store.stop()).toBe(0);
  expect((await buyer.report(called("127.0.0.1", "", "refused"))).app).toBe("bookbuyer");
}, 30_000);

test("the database speaks first", async () => {
  const { port } = await start("database.ts", {});
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("database 1, 0 books");
  socket.write("ADD 2\nDROP 1\n");
  expect([(await lines.next()).value, (await lines.next()).value]).toEqual(["OK 2", "ERROR"]);
  socket.destroy();
});
