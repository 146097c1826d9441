import { chmodSync, existsSync, lstatSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { makeFolder } from "../platform/mod.ts";
import { StartError } from "./options.ts";

export interface StateLock {
  release(): Promise<void>;
}

/**
 * Makes `stateDir` (mode 0700 when there was nothing in it) and holds it for this process, so that two meshes never share one. The lock is a listening
 * socket: it is free the moment its holder is gone, however it went.
 */
export async function lockStateDir(stateDir: string, socketDir: string): Promise<StateLock> {
  makePrivate(stateDir);
  if (socketDir !== stateDir) {
    if (existsSync(socketDir)) requireOwn(socketDir);
    makePrivate(socketDir);
    requireOwn(socketDir);
  }
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
    async release() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (socketDir !== stateDir) rmSync(socketDir, { recursive: true, force: true });
    },
  };
}

const OTHERS_MAY_WRITE = 0o002;

/** A folder that holds something keeps its mode: it may be the user's home, or everybody's. */
function makePrivate(dir: string): void {
  let isShared: boolean;
  try {
    const isFresh = !existsSync(dir) || readdirSync(dir).length === 0;
    makeFolder(dir, 0o700);
    if (isFresh) chmodSync(dir, 0o700);
    isShared = (statSync(dir).mode & OTHERS_MAY_WRITE) !== 0;
  } catch (error) {
    throw new StartError(
      `the state dir ${dir} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (isShared) {
    throw new StartError(`others may write into the state dir ${dir}; give --state-dir a folder of its own`);
  }
}

/**
 * The system's folder for temporary files is everybody's: whoever has guessed our folder's name and made it before us could
 * put sockets of their own in it.
 */
function requireOwn(dir: string): void {
  const found = lstatSync(dir);
  if (found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)) return;
  throw new StartError(
    `${dir}, in which the sockets would lie, belongs to somebody else: remove it, or give a shorter --state-dir`,
  );
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
