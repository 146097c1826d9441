// A tiny application: answers who it is; `/gone` makes it end, `/unready` and `/ready` switch its readiness.
import { createServer } from "node:http";

let isReady = true;
const name = process.env.HOSTNAME;
createServer((request, response) => {
  if (request.url === "/gone") process.exit(3);
  if (request.url === "/unready") isReady = false;
  if (request.url === "/ready") isReady = true;
  const status = request.url === "/health" && !isReady ? 503 : 200;
  response.writeHead(status, { "Content-Type": "text/plain" }).end(`${name} ${process.env.VERSION ?? ""}`);
}).listen(Number(process.argv[2]));
