import { describe, expect, test } from "vitest";
import { decodeHeaders, encodeHeaders, HpackError } from "./hpack.ts";
import { huffmanText } from "./hpack-huffman.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test.each([
  // RFC 7541, appendix C.4 and C.6.
  ["www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"],
  ["no-cache", "a8eb 1064 9cbf"],
  ["custom-value", "25a8 49e9 5bb8 e8b4 bf"],
  ["302", "6402"],
  ["Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"],
  ["https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"],
  [
    "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ],
])("the words %s of a server are read from their Huffman code", (text, bytes) => {
  expect(huffmanText(hex(bytes))).toBe(text);
});

test.each(["ff", "f1e3c2e5f23a6ba0ab90f4fe", "ffffffff", "6402ff"])("%s is in no Huffman code", (bytes) => {
  expect(huffmanText(hex(bytes))).toBeUndefined();
});

describe("header blocks", () => {
  test("come back as they were written", () => {
    const headers = [
      [":path", "/a"],
      ["content-type", "application/grpc"],
      ["x-long", "v".repeat(1000)],
    ] as const;
    expect([...decodeHeaders(encodeHeaders(headers))]).toEqual(headers);
  });

  test("of every kind of field are read", () => {
    // Size 0, indexed, literal with indexing by the static table and new, without indexing, never indexed.
    const block = hex("20 88 5f 01 61 40 01 62 01 63 0f 10 01 64 10 01 65 01 66");
    expect(Object.fromEntries(decodeHeaders(block))).toEqual({ ":status": "200", "content-type": "d", b: "c", e: "f" });
  });

  test.each(["3f01", "be", "80", "48", "4805 61", "ff ff ff ff ff 7f", "00 ff ff ff 7f"])("%s are refused", (bytes) => {
    expect(() => decodeHeaders(hex(bytes))).toThrow(HpackError);
  });
});
