/** Counts what the bookstores ask for and writes the sum to the database, over one connection that is kept open. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { callCounter, env, hostOf, numberFrom, outcomeOf, pause, portFlag, serve } from "./demo-app.ts";

const RECONNECT_SECONDS = 1;
const database = env("MYSQL_SVC", "mysql");
const host = hostOf(database, env("BOOKWAREHOUSE_NAMESPACE", "bookwarehouse"));
const port = numberFrom("MYSQL_SVC_PORT", 3306);
const calls = callCounter("bookwarehouse");
let restocked = 0;
let stored = 0;
let wake = () => {};

/** Ends when the connection does. The database speaks first; until then nothing is sent. */
async function keepStored(socket: Socket): Promise<void> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const banner = await lines.next();
  const already = Number(/(\d+) books/.exec(String(banner.value))?.[1]);
  if (banner.done || !Number.isInteger(already)) return;
  for (;;) {
    const missing = restocked - stored;
    if (missing === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    socket.write(`ADD ${missing}\n`);
    const answer = await lines.next();
    if (answer.done || !String(answer.value).startsWith("OK")) return;
    stored += missing;
    calls.add(database, database, "stored", missing);
  }
}

async function talkToDatabase(): Promise<never> {
  for (;;) {
    const socket = connect({ host, port, noDelay: true });
    const failure = new Promise<string>((resolve) => {
      socket.once("error", (error) => resolve(outcomeOf(error)));
      socket.once("close", () => resolve("reset"));
    });
    const outcome = await Promise.race([failure, keepStored(socket).then(() => "reset", outcomeOf)]);
    socket.destroy();
    calls.add(database, "", outcome);
    await pause(RECONNECT_SECONDS);
  }
}

function restock() {
  restocked++;
  wake();
  return { headers: { Identity: "bookwarehouse" }, body: `restocked: ${restocked}\n` };
}

await serve("bookwarehouse", portFlag(14001), [
  { path: "/", answer: () => ({ body: `restocked: ${restocked}\n` }) },
  { method: "POST", path: "/restock", answer: restock },
  { path: "/raw", answer: () => ({ body: { booksRestocked: restocked, booksStored: stored, calls: calls.all() } }) },
]);
await talkToDatabase();
