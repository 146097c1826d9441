/**
 * What somebody sends who means harm or does not know better, layer by layer. Values only: `run-sessions.ts` sends them.
 */
import { open, opening } from "./frames.ts";
import { type HostileSession, noise } from "./hostile-session.ts";
import { onGrpc, onHttp2 } from "./http2-sessions.ts";
import { onProtobuf, onXds } from "./xds-sessions.ts";

const belowHttp2: readonly HostileSession[] = [
  { name: "noise", as: "anybody", pieces: (random) => [noise(random, 4096)] },
  { name: "nothing at all", as: "anybody", pieces: () => [] },
  {
    name: "HTTP/1.1",
    as: "anybody",
    pieces: () => [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  },
  // A record of a handshake that says it is 16 KiB long and is not.
  { name: "half a ClientHello", as: "anybody", pieces: () => [Buffer.from([22, 3, 1, 64, 0, 1, 0, 63, 252, 3, 3])] },
  {
    name: "a TLS record larger than there may be",
    as: "anybody",
    pieces: (random) => [Buffer.from([22, 3, 1, 255, 255]), noise(random, 65_535)],
  },
  { name: "a stream without a certificate", as: "no certificate", pieces: () => [opening, open(1)] },
  { name: "a stream with a certificate of somebody else", as: "foreign certificate", pieces: () => [opening, open(1)] },
  { name: "a stream over TLS 1.2", as: "old TLS", pieces: () => [opening, open(1)] },
];

/** All of them. */
export const hostileSessions: readonly HostileSession[] = [
  ...belowHttp2,
  ...onHttp2,
  ...onGrpc,
  ...onProtobuf,
  ...onXds,
];
