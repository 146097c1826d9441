/** What a peer did that no HTTP/2 or gRPC server may do. The connection is of no more use. */
export class PeerError extends Error {
  override readonly name = "PeerError";
  readonly code = "protocol";
}
