import { type Field, reject, shown } from "./field.ts";

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IPV4_RANGE = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}/(?:3[0-2]|[12]?\\d)$`);
const IPV6_GROUP = /^[0-9a-fA-F]{1,4}$/;

/** Whether the text is an IPv4 or IPv6 address without zone or prefix length (RFC 4291 §2.2). */
function isIpAddress(text: string): boolean {
  return IPV4.test(text) || isIpv6(text);
}

/** Whether the text is an IPv4 address with a prefix length (RFC 4632 §3.1). */
export function isIpv4Range(text: string): boolean {
  return IPV4_RANGE.test(text);
}

function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const hasIpv4 = last !== undefined && IPV4.test(last) && !text.endsWith("::");
  const plain = hasIpv4 ? groups.slice(0, -1) : groups;
  const count = plain.length + (hasIpv4 ? 2 : 0);
  return plain.every((group) => IPV6_GROUP.test(group)) && (halves.length === 2 ? count <= 7 : count === 8);
}

/**
 * The one spelling of an address (RFC 5952 for IPv6), so that equal addresses are equal texts: Envoy refuses a listener
 * that names one twice. Notes what is no address.
 */
export function readAddress(field: Field, address: string): string {
  if (!isIpAddress(address)) {
    reject(field, "address-invalid", `${field.path} is ${shown(address)}: write an IPv4 or IPv6 address.`);
    return address;
  }
  return address.includes(":") ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}
