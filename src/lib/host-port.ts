/** Where to listen or to dial. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A name or an IPv4 address, or an IPv6 address with or without a zone in brackets; a URL is neither. */
const HOST_PORT = /^(?:\[(?<ipv6>[\da-f:.]*:[\da-f:.]*(?:%[\w.-]+)?)\]|(?<name>[\w.-]+)):(?<port>\d{1,5})$/i;

/** Reads `HOST:PORT`, IPv6 in brackets; undefined when it is none. Port 0 is one. */
export function parseHostPort(text: string): HostPort | undefined {
  const { ipv6, name, port } = HOST_PORT.exec(text)?.groups ?? {};
  const host = ipv6 ?? name;
  return host === undefined || Number(port) > 65535 ? undefined : { host, port: Number(port) };
}
