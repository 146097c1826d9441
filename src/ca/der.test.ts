import { expect, test } from "vitest";
import { der, oid, pem, sequence, TAG, time } from "./der.ts";
import { readDer } from "./read-der.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test.each([
  [0, "0400"],
  [127, "047f"],
  [128, "048180"],
  [255, "0481ff"],
  [256, "04820100"],
  [65_500, "0482ffdc"],
])("a value of %d octets has the shortest length, and is read back", (size, head) => {
  const content = Buffer.alloc(size, 7);
  const value = der(TAG.octetString, content);
  expect(hex(value)).toBe(head + hex(content));
  const [read, next] = readDer(sequence(value, sequence())).children;
  expect([read?.tag, hex(read?.raw() ?? value), next?.tag]).toEqual([TAG.octetString, hex(value), TAG.sequence]);
  expect(hex(read?.content ?? value)).toBe(hex(content));
});

test("a value that is cut off is not read as a shorter one", () => {
  expect(() => readDer(Buffer.from("0402ff", "hex"))).toThrow();
});

test("object identifiers are written in groups of seven bits", () => {
  // X.690 §8.19.5, and rsaEncryption of RFC 8017.
  expect(hex(oid("2.999.3"))).toBe("0603883703");
  expect(hex(oid("1.2.840.113549.1.1.1"))).toBe("06092a864886f70d010101");
});

test("years have two digits through 2049 and four after", () => {
  const said = (iso: string) => {
    const value = readDer(time(Date.parse(iso)));
    return [value.tag, Buffer.from(value.content).toString()];
  };
  expect(said("2049-12-31T23:59:59.999Z")).toEqual([TAG.utcTime, "491231235959Z"]);
  expect(said("2050-01-01T00:00:00Z")).toEqual([TAG.generalizedTime, "20500101000000Z"]);
});

test("PEM has lines of 64 characters and no empty one at the end", () => {
  expect(pem("X", Buffer.alloc(48))).toBe(`-----BEGIN X-----\n${"A".repeat(64)}\n-----END X-----\n`);
  expect(pem("X", Buffer.alloc(49))).toBe(`-----BEGIN X-----\n${"A".repeat(64)}\nAA==\n-----END X-----\n`);
});
