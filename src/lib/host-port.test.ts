import { expect, test } from "vitest";
import { parseHostPort } from "./host-port.ts";

test("an address is read with its port, IPv6 in brackets, and anything else is none", () => {
  expect(parseHostPort("127.0.0.1:0")).toEqual({ host: "127.0.0.1", port: 0 });
  expect(parseHostPort("[::1]:15128")).toEqual({ host: "::1", port: 15128 });
  expect(parseHostPort("[fe80::1%eth0.7]:80")).toEqual({ host: "fe80::1%eth0.7", port: 80 });
  expect(parseHostPort("my_host.example-1.:80")).toEqual({ host: "my_host.example-1.", port: 80 });
  for (const wrong of [
    "http://127.0.0.1:80",
    "::1:80",
    "1.2.3.4:80:90",
    "[]:80",
    "[a]:80",
    "[::1]80",
    "a b:80",
    "a/b:80",
  ]) {
    expect(parseHostPort(wrong), wrong).toBeUndefined();
  }
  for (const wrong of ["", "localhost", ":80", "a:", "a:65536", "a:-1", "a:1e3", "a:b"]) {
    expect(parseHostPort(wrong), wrong).toBeUndefined();
  }
});
