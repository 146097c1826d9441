/** Sells books: counts them, says by header who sold them, and has the warehouse restock for each. */
import type { IncomingMessage } from "node:http";
import { call, callCounter, env, hostOf, numberFrom, portFlag, serve } from "./demo-app.ts";

const identity = env("IDENTITY", "unidentified");
const warehouse = env("BOOKWAREHOUSE_SVC", "bookwarehouse");
const warehouseHost = hostOf(warehouse, env("BOOKWAREHOUSE_NAMESPACE", "bookwarehouse"));
const restockUrl = `http://${warehouseHost}:${numberFrom("BOOKWAREHOUSE_SVC_PORT", 14001)}/restock`;
const calls = callCounter(identity);
let booksSold = 0;

const status = (body: unknown) => ({ headers: { Identity: identity, Booksbought: String(booksSold) }, body });

function sell() {
  booksSold++;
  // The buyer does not wait for the warehouse.
  void call("POST", restockUrl, { client: identity }).then(({ outcome, headers }) => {
    calls.add(warehouse, String(headers["identity"] ?? ""), outcome);
  });
  return status("sold\n");
}

function setSold(incoming: IncomingMessage) {
  const wanted = Number(incoming.headers["booksbought"]);
  if (Number.isSafeInteger(wanted) && wanted >= 0) booksSold = wanted;
  return status(`books sold: ${booksSold}\n`);
}

function reset() {
  booksSold = 0;
  return status("reset\n");
}

await serve(identity, portFlag(14001), [
  { path: "/", answer: () => status(`books sold: ${booksSold}\n`) },
  { method: "GET", path: "/books-bought", answer: () => status(`books sold: ${booksSold}\n`) },
  { method: "POST", path: "/books-bought", answer: setSold },
  { method: "GET", path: /a-book.*new/, answer: sell },
  { path: "/reset", answer: reset },
  { path: "/raw", answer: () => status({ booksSold, calls: calls.all() }) },
  { path: /^\/(liveness|readiness|startup)$/, answer: () => status("ok\n") },
]);
