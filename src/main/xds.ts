import { chmodSync, rmSync } from "node:fs";
import { isMeshed, podOfProxy } from "../mesh/mod.ts";
import {
  StreamThreadsError,
  startXdsServer,
  XdsListenError,
  type XdsServer,
  type XdsServerOptions,
} from "../xds/mod.ts";
import { authenticateProxy } from "./authenticate.ts";
import { type ControlPlaneState, type ServedXds, socketPaths } from "./control-plane-state.ts";
import { type Edge, formatHostPort, StartError } from "./options.ts";
import { followTicketKeys } from "./ticket-keys.ts";

/** Serves proxies on the xDS address, and on a socket to which the pods' own network forwards. */
export async function serveXds(state: ControlPlaneState, edge: Edge): Promise<ServedXds> {
  const { intake, options, secrets, tracker } = state;
  const { certificatePem, privateKeyPem } = await secrets.serverCredential();
  const ticketKeys = await secrets.ticketKeys(edge.clock.now());
  const { xds: socket } = socketPaths(options.socketDir);
  rmSync(socket, { force: true });
  const addresses = [formatHostPort(options.xds), ...(options.hasPods ? [`unix:${socket}`] : [])];
  const server = await listen(() =>
    startXdsServer({
      addresses,
      credentials: { certificatePem, privateKeyPem, clientCaPem: secrets.rootsPem },
      ticketKeys: ticketKeys.keys,
      authenticate: ({ commonName }) => authenticateProxy(intake.snapshot(), commonName, options.trustDomain),
      tables: state.engine,
      observe: tracker,
      ...(options.transport === undefined ? {} : { transport: options.transport }),
      ...streamThreads(options.streamThreads ?? 0, edge),
      ...edge,
    }),
  );
  const stopRenewal = followTicketKeys(ticketKeys, (keys) => server.renewTicketKeys(keys), { secrets, ...edge });
  if (options.hasPods) chmodSync(socket, 0o600);
  const port = Number(server.addresses[0]?.split(":").at(-1));
  return {
    address: { host: options.xds.host, port },
    dropStrangers(snapshot, namespaces) {
      for (const { peer } of tracker.streams()) {
        if (!namespaces.has(peer.namespace)) continue;
        if (podOfProxy(snapshot, peer.uuid, peer) === undefined) server.endPeer(peer.uuid, "its pod is gone");
        else if (!isMeshed(snapshot, peer.namespace)) server.endPeer(peer.uuid, "its namespace left the mesh");
      }
    },
    close() {
      stopRenewal();
      return server.close();
    },
  };
}

function streamThreads(count: number, { random }: Edge): Pick<XdsServerOptions, "streamThreads"> {
  if (count === 0) return {};
  return { streamThreads: { count, entry: new URL("../../workers/streams.ts", import.meta.url), random } };
}

async function listen(start: () => Promise<XdsServer>): Promise<XdsServer> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof StreamThreadsError) throw new StartError(error.message);
    if (!(error instanceof XdsListenError)) throw error;
    throw new StartError(`${error.message}; give --xds`);
  }
}
