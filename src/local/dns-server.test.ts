import { decode, encode, TRUNCATED_RESPONSE } from "dns-packet";
import { describe, expect, test } from "vitest";
import { answer } from "./dns-server.ts";
import { dnsZone } from "./dns-zone.ts";

const zone = dnsZone(
  [
    { namespace: "shop", name: "web", clusterIp: "10.96.1.1", endpoints: [{ address: "10.244.0.2" }] },
    {
      namespace: "shop",
      name: "db",
      endpoints: [
        { address: "10.244.0.3", hostname: "db-0" },
        { address: "10.244.0.4", hostname: "db-1" },
      ],
    },
    {
      namespace: "shop",
      name: "many",
      endpoints: Array.from({ length: 40 }, (_, index) => ({ address: `10.244.1.${index}` })),
    },
  ],
  "cluster.local",
);

function ask(name: string, type: "A" | "AAAA" | "PTR" = "A", extra: object = {}) {
  const response = answer(zone, encode({ type: "query", id: 7, questions: [{ type, name }], ...extra }), 512);
  const { rcode, answers, flags, id } = decode(response ?? Buffer.alloc(0)) as ReturnType<typeof decode> & {
    rcode: string;
  };
  return { id, rcode, flags, addresses: (answers ?? []).map((each) => (each.type === "A" ? each.data : each.type)) };
}

describe("cluster DNS", () => {
  test("names a service by its cluster IP, whatever the letters' case", () => {
    expect(ask("web.shop.svc.cluster.local")).toMatchObject({ id: 7, rcode: "NOERROR", addresses: ["10.96.1.1"] });
    expect(ask("WEB.Shop.svc.cluster.local").addresses).toEqual(["10.96.1.1"]);
  });

  test("names a headless service by its pods, and each pod by its host name", () => {
    expect(ask("db.shop.svc.cluster.local").addresses).toEqual(["10.244.0.3", "10.244.0.4"]);
    expect(ask("db-1.db.shop.svc.cluster.local").addresses).toEqual(["10.244.0.4"]);
  });

  test("answers a name outside and a type without data at once, instead of letting a client wait", () => {
    expect(ask("example.org").rcode).toBe("NXDOMAIN");
    expect(ask("web.other.svc.cluster.local").rcode).toBe("NXDOMAIN");
    expect(ask("web.shop.svc.cluster.local", "AAAA")).toMatchObject({ rcode: "NOERROR", addresses: [] });
    expect(ask("1.0.244.10.in-addr.arpa", "PTR").rcode).toBe("NXDOMAIN");
  });

  test("tells a client to ask over TCP when an answer is too large for what it offers", () => {
    const short = ask("many.shop.svc.cluster.local");
    expect((short.flags ?? 0) & TRUNCATED_RESPONSE).not.toBe(0);
    expect(short.addresses).toEqual([]);
    const additionals = [{ type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, options: [] }];
    expect(ask("many.shop.svc.cluster.local", "A", { additionals }).addresses).toHaveLength(40);
  });

  test("stays silent on bytes that are no question", () => {
    expect(answer(zone, Buffer.from("no dns"), 512)).toBeUndefined();
    expect(
      answer(zone, encode({ type: "response", id: 1, questions: [{ type: "A", name: "a" }] }), 512),
    ).toBeUndefined();
  });
});
