/** Where to listen or to dial. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Reads `HOST:PORT`, IPv6 in brackets; undefined when it is none. Port 0 is one. */
export function parseHostPort(text: string): HostPort | undefined {
  const split = text.lastIndexOf(":");
  const host = text.slice(0, Math.max(split, 0)).replace(/^\[(.*)\]$/, "$1");
  const digits = text.slice(split + 1);
  const port = Number(digits);
  return host === "" || !/^\d{1,5}$/.test(digits) || port > 65535 ? undefined : { host, port };
}
