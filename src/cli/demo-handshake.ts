/**
 * Prints the serial number of the certificate that a sidecar presents: `demo-handshake.ts ADDRESS PORT SERVER-NAME`. Runs
 * where the pods' network is. It has no certificate itself, so it gets no further than the server's.
 */
import process from "node:process";
import { connect } from "node:tls";

const TIMEOUT_MS = 5000;
const [host = "", port = "", servername = ""] = process.argv.slice(2);
const socket = connect({
  host,
  port: Number(port),
  servername,
  // The name by which a sidecar knows traffic of the mesh.
  ALPNProtocols: ["osm"],
  // Whose certificate it is, is looked at by whoever started this.
  rejectUnauthorized: false,
  timeout: TIMEOUT_MS,
});
socket.once("secureConnect", () => {
  process.stdout.write(`${socket.getPeerCertificate().serialNumber}\n`);
  socket.destroy();
});
socket.once("timeout", () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
socket.once("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
