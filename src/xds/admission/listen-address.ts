import { parseHostPort } from "../../lib/mod.ts";

/** `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH` as `node:net` wants it. Throws on anything else. */
export function splitAddress(
  address: string,
): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const parsed = parseHostPort(address);
  if (parsed === undefined) throw new Error(`"${address}" is no address to listen on: give HOST:PORT or unix:PATH`);
  return { host: parsed.host, port: parsed.port };
}
