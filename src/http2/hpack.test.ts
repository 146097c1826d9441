import { describe, expect, test } from "vitest";
import { HpackDecoder, type ReceivedHeaders } from "./hpack-decoder.ts";
import { encodeHeaders } from "./hpack-encoder.ts";

function decode(decoder: HpackDecoder, hex: string): ReceivedHeaders {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  return decoder.decode(bytes, 0, bytes.length);
}

const request = (path: string, scheme: string, ...more: [string, string][]) => [
  [":method", "GET"],
  [":scheme", scheme],
  [":path", path],
  [":authority", "www.example.com"],
  ...more,
];

describe("header blocks are read as the specification's examples say", () => {
  test.each([
    [
      "a literal that is indexed",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      ["custom-key", "custom-header"],
    ],
    ["a literal that is not indexed", "040c 2f73 616d 706c 652f 7061 7468", [":path", "/sample/path"]],
    ["a literal that is never indexed", "1008 7061 7373 776f 7264 0673 6563 7265 74", ["password", "secret"]],
    ["an indexed header", "82", [":method", "GET"]],
  ])("%s", (_what, hex, header) => {
    expect(decode(new HpackDecoder(1000), hex)).toEqual([header]);
  });

  test("three requests that build on each other, with Huffman codes", () => {
    const decoder = new HpackDecoder(1000);
    expect(decode(decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")).toEqual(request("/", "http"));
    expect(decode(decoder, "8286 84be 5886 a8eb 1064 9cbf")).toEqual(
      request("/", "http", ["cache-control", "no-cache"]),
    );
    expect(decode(decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")).toEqual(
      request("/index.html", "https", ["custom-key", "custom-value"]),
    );
  });

  test("a table that is made small evicts its oldest", () => {
    const decoder = new HpackDecoder(1000);
    decode(decoder, "3f21 4001 6101 31 4001 6201 32");
    expect(() => decode(decoder, "bf")).toThrow("header index 63");
    const other = new HpackDecoder(1000);
    decode(other, "3f21 4001 6101 31 4001 6201 32");
    expect(decode(other, "be")).toEqual([["b", "2"]]);
    expect(() => decode(decoder, "20 be")).toThrow("header index 62");
    expect(decode(other, "20 4001 6301 33")).toEqual([["c", "3"]]);
    expect(() => decode(other, "be")).toThrow("header index 62");
  });

  test("an entry that is larger than the table empties it", () => {
    const decoder = new HpackDecoder(10_000);
    decode(decoder, `4001 6101 31 4001 62 7f 811f ${"79".repeat(4096)}`);
    expect(() => decode(decoder, "be")).toThrow("header index 62");
  });
});

describe("a block is refused that has", () => {
  test.each([
    ["index 0", "80", "header index 0"],
    ["an index that no table has", "be", "header index 62"],
    ["a name index that no table has", "7e 01 31", "header index 62"],
    ["an integer without end", "ff ffff ffff ffff ffff ff", "more than five octets"],
    ["an integer of six octets", "ff 8080 8080 01", "more than five octets"],
    ["an integer that is cut off", "ff 80", "an end in the middle"],
    ["a string longer than the block", "40 05 61", "longer than the block"],
    ["a name without a value", "40 01 61", "an end in the middle"],
    ["the end of string in a string", "40 01 61 84 ffff ffff", "not Huffman-encoded"],
    ["more than 7 bits of padding", "40 01 61 82 07ff", "not Huffman-encoded"],
    ["padding of zeros", "40 01 61 81 00", "not Huffman-encoded"],
    ["a table that is larger than allowed", "3f e2 1f", "a table of 4097 bytes"],
    ["a table size after a header", "82 20", "after a header"],
  ])("%s", (_what, hex, message) => {
    expect(() => decode(new HpackDecoder(1000), hex)).toThrow(message);
  });

  test("a list that is larger than allowed", () => {
    const block = encodeHeaders([
      ["a", "1".repeat(34)],
      ["b", "2".repeat(33)],
    ]);
    expect(new HpackDecoder(133).decode(block, 0, block.length)).toHaveLength(2);
    expect(() => new HpackDecoder(132).decode(block, 0, block.length)).toThrow("larger than 132 bytes");
  });
});

test("what is written is read again, and uses the static table", () => {
  const headers = [
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["grpc-message", "x".repeat(300)],
    ["empty", ""],
    ["octets", "\x80\xff\t"],
  ] as const;
  const block = encodeHeaders(headers);
  expect(block.subarray(0, 3).toString("hex")).toBe("880f10");
  expect(new HpackDecoder(1000).decode(block, 0, block.length)).toEqual(headers);
});
