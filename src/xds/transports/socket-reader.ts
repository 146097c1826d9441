import type { TLSSocket } from "node:tls";

/** What a socket's `push` does with the end of what comes. */
export type OnEnd = (socket: TLSSocket, push: TLSSocket["push"]) => void;

/**
 * Has `onData` called with all that comes, as an event `data` does. While the socket is read, chunks come past the machinery
 * of `Readable`, which for each of them makes an event, looks whether there is more, and asks for it in a later tick. Where a
 * runtime does not hand its chunks to `push`, the event brings them. `onEnd` is to push the end, which is `null`, in its time.
 */
export function readSocket(socket: TLSSocket, onData: (bytes: Buffer) => void, onEnd?: OnEnd): void {
  const { push } = socket;
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null && onEnd !== undefined) {
      onEnd(socket, push);
      return false;
    }
    const isNext = chunk !== null && socket.readableFlowing === true && socket.readableLength === 0;
    if (!isNext) return push.call(socket, chunk, encoding);
    onData(chunk);
    return true;
  };
  socket.on("data", onData);
}
