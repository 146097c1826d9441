/**
 * The world of the parity tests. Namespaces `shop` and `depot` are in the mesh and hold a service, labels, accounts and
 * pods of the same names; `outside` is not.
 */
import { type Manifest, namespace, type PortWishes, pod, service, statefulSet } from "./manifests.ts";

const everyPort: readonly PortWishes[] = [
  { name: "web", port: 80, targetPort: 8080 },
  { name: "http-admin", port: 81, targetPort: 8081 },
  { name: "tcp-echo", port: 9000 },
  { name: "other", port: 9001, appProtocol: "tcp-server-first" },
  { name: "grpc-say", port: 9090 },
  { name: "tcp-secure", port: 8443 },
];
const serves = ["http:8080", "http:8081", "tcp:9000", "banner:9001", "grpc:9090", "tls:8443:own.pem"];

function server(account: string) {
  return { account, labels: { app: "server", version: account }, serves, probed: 8080 };
}

/** Pods of `shop` that answer, by the name that they say: service accounts `v1` and `v2`. */
export const world: readonly Manifest[] = [
  namespace("shop", true),
  namespace("depot", true),
  namespace("outside", false),
  pod("shop", "buyer", { account: "buyer" }),
  pod("shop", "thief", { account: "thief" }),
  pod("shop", "server-1", server("v1")),
  pod("shop", "server-2", server("v2")),
  service("shop", "server", { app: "server" }, everyPort),
  service("shop", "v1", { version: "v1" }, everyPort),
  service("shop", "v2", { version: "v2" }, everyPort),
  statefulSet("shop", "db", 2, { account: "db", serves: ["http:8080", "tcp:9000"], probed: 8080 }),
  service(
    "shop",
    "db",
    { app: "db" },
    [
      { name: "web", port: 8080 },
      { name: "tcp-raw", port: 9000 },
    ],
    { clusterIP: "None" },
  ),
  // A program that speaks the mesh's TLS by itself: with its own certificate, and with that of another account.
  pod("shop", "rogue", {
    account: "rogue",
    labels: { app: "rogue" },
    annotations: { "openservicemesh.io/sidecar-injection": "disabled" },
    serves: ["tls:8443:own.pem", "tls:8444:stolen.pem"],
  }),
  service("shop", "rogue", { app: "rogue" }, [
    { name: "own", port: 8443 },
    { name: "stolen", port: 8444 },
  ]),
  pod("depot", "buyer", { account: "buyer" }),
  pod("depot", "server-1", { ...server("v1"), says: "depot" }),
  service("depot", "server", { app: "server" }, everyPort),
  pod("outside", "stranger", { account: "default" }),
  pod("outside", "web", {
    account: "default",
    labels: { app: "web" },
    serves: ["http:8080", "tcp:9000", "banner:9001"],
  }),
  service("outside", "web", { app: "web" }, [
    { name: "web", port: 80, targetPort: 8080 },
    { name: "echo", port: 9000 },
    { name: "banner", port: 9001 },
  ]),
];

/** Files with certificates of the mesh's CA, for the program without a sidecar. */
export const leaves = {
  "own.pem": { namespace: "shop", serviceAccount: "rogue" },
  "stolen.pem": { namespace: "shop", serviceAccount: "thief" },
  "buyer.pem": { namespace: "shop", serviceAccount: "buyer" },
};
