import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { StartError } from "./options.ts";

export interface StateLock {
  release(): Promise<void>;
}

/**
 * Makes `stateDir` (mode 0700) and holds it for this process, so that two meshes never share one. The lock is a listening
 * socket: it is free the moment its holder is gone, however it went.
 */
export async function lockStateDir(stateDir: string, socketDir: string): Promise<StateLock> {
  makePrivate(stateDir);
  makePrivate(socketDir);
  const path = join(socketDir, "lock.sock");
  const server = createServer((socket) => socket.destroy());
  if (!(await listens(server, path))) {
    if (await isAnswered(path)) {
      throw new StartError(
        `the state dir ${stateDir} is in use by another running mesh; stop that one, or give --state-dir`,
      );
    }
    rmSync(path, { force: true });
    if (!(await listens(server, path)))
      throw new StartError(`the state dir ${stateDir} was taken by another mesh meanwhile; give --state-dir`);
  }
  return {
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function makePrivate(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700);
  } catch (error) {
    throw new StartError(
      `the state dir ${dir} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(new StartError(`the socket ${path} cannot be made: ${error.message}`));
    };
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      server.unref();
      resolve(true);
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
