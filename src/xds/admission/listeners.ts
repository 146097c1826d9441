import { once } from "node:events";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { gainsBySharedPorts } from "../../platform/mod.ts";
import { splitAddress } from "./listen-address.ts";

/** Connections that the system keeps until the loop gets to them. */
const BACKLOG = 1024;
/**
 * Sockets that listen on one port. Node takes one connection from each in a turn of its loop; turns take 20 ms and more while
 * thousands are told of a change, and one socket would let in 30 connections a second.
 */
const SHARING = 16;

export interface ListenersOptions {
  readonly onConnection: (socket: Socket) => void;
  /** Of a connection that could not be taken in, for example for want of file descriptors. */
  readonly onError: () => void;
  /** Others listen on the same port; the system deals connections out among them. */
  readonly isShared: boolean;
}

/** Listens on an address of the form that `splitAddress` takes. Rejects with the system's error, such as `EADDRINUSE`. */
export async function listenOn(address: string, options: ListenersOptions): Promise<readonly Server[]> {
  const place = splitAddress(address);
  const first = await listen({ ...place, reusePort: options.isShared }, options);
  const port = portOf(first);
  if (port === undefined || !gainsBySharedPorts) return [first];
  const shared = { ...place, port, reusePort: true };
  const listeners: Server[] = [];
  try {
    // A port is shared from the first socket on or never. That nobody else has it is what one that does not share finds out.
    if (options.isShared) listeners.push(first);
    else first.close();
    while (listeners.length < SHARING) listeners.push(await listen(shared, options));
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

/** Undefined of a socket that has a path. */
export function portOf(listener: Server): number | undefined {
  const bound = listener.address();
  return bound === null || typeof bound === "string" ? undefined : bound.port;
}

async function listen(place: ListenOptions, { onConnection, onError }: ListenersOptions): Promise<Server> {
  const listener = createServer({ noDelay: true }, onConnection);
  listener.listen({ ...place, backlog: BACKLOG });
  await once(listener, "listening");
  listener.on("error", onError);
  return listener;
}
