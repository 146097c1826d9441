/**
 * Stands in for a database: as MySQL does, it takes its time to start and speaks first on every connection. Then it adds:
 * `ADD 2` is answered by `OK 12`, anything else by `ERROR`.
 */
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { numberFrom, onStop, pause, portFlag } from "./demo-app.ts";

const LINE_MAX = 100;
let books = 0;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.write(`database 1, ${books} books\n`);
  const lines = createInterface({ input: socket });
  // It passes the socket's errors on; a client that is gone needs no answer.
  lines.on("error", () => socket.destroy());
  lines.on("line", (line) => {
    const count = line.length > LINE_MAX ? undefined : /^ADD (\d+)$/.exec(line)?.[1];
    if (count !== undefined) books += Number(count);
    socket.write(count === undefined ? "ERROR\n" : `OK ${books}\n`);
  });
});

// Nothing listens yet, so that a probe sees what it would see of a database that reads its files.
await pause(numberFrom("DATABASE_START_SECONDS", 3));
server.listen(portFlag(3306), () => console.log(`database listens on ${(server.address() as AddressInfo).port}`));
onStop(server);
