/**
 * The guided demo as data: what each step puts into the served folder or does to the mesh, and what must be seen in the
 * traffic afterwards. Whoever runs it (a terminal, a test) needs nothing else.
 */

/** What must be true of the calls that `from` makes once the step has taken effect. */
export type Expectation =
  /** Every call is answered by 200, or `stored` for the database. */
  | { readonly kind: "served"; readonly from: DemoApp; readonly to: string }
  /** No call is served. */
  | { readonly kind: "refused"; readonly from: DemoApp; readonly to: string }
  /** Of the calls served, each of these answers its share; they add up to 1. */
  | {
      readonly kind: "shares";
      readonly from: DemoApp;
      readonly to: string;
      readonly shares: Readonly<Record<string, number>>;
    }
  /** Not one call fails from before the step begins until its end. */
  | { readonly kind: "unbroken"; readonly from: DemoApp; readonly to: string };

/** Programs that make calls, by the name under which they report them (`AppReport.app`). */
export type DemoApp = "bookbuyer" | "bookthief" | "bookstore-v1" | "bookstore-v2" | "bookwarehouse";

/** A file that a step puts into the served folder. */
export interface StepFile {
  /** Relative to `demo/steps`. */
  readonly from: string;
  /** Relative to the served folder. */
  readonly to: string;
  /** The lines of it that matter, for the person who watches. */
  readonly shows: readonly string[];
}

export interface DemoStep {
  readonly id: string;
  readonly title: string;
  /** For the person who watches: what is done and why it matters. */
  readonly explanation: string;
  /** Files put into the served folder, in this order. */
  readonly puts: readonly StepFile[];
  /** Something done to the running mesh instead. */
  readonly action?: "rotate-certificates" | "kill-control-plane";
  readonly expects: readonly Expectation[];
}

/** The folder to serve, from which a guided run makes its own copy. */
export const bookstoreFolder: URL = new URL("./bookstore/", import.meta.url);
/** Where the files of the steps are. */
export const stepsFolder: URL = new URL("./steps/", import.meta.url);
/** Where the programs are. */
export const appsFolder: URL = new URL("./apps/", import.meta.url);

/** Name of the file of {@link bookstoreFolder} that maps images to programs, relative to the folder. */
export const localFile = "osm.local.yaml";

/** Programs by image. */
export const programs: Readonly<Record<string, string>> = {
  "openservicemesh/bookbuyer:v1.2.4": "bookbuyer.ts",
  "openservicemesh/bookthief:v1.2.4": "bookthief.ts",
  "openservicemesh/bookstore:v1.2.4": "bookstore.ts",
  "openservicemesh/bookwarehouse:v1.2.4": "bookwarehouse.ts",
  "mysql:8.0": "database.ts",
};

/** Pods whose logs carry the reports: namespace and workload, from which the pod's name starts. */
export const reporters: readonly { readonly app: DemoApp; readonly namespace: string; readonly workload: string }[] = [
  { app: "bookbuyer", namespace: "bookbuyer", workload: "bookbuyer" },
  { app: "bookthief", namespace: "bookthief", workload: "bookthief" },
  { app: "bookstore-v1", namespace: "bookstore", workload: "bookstore-v1" },
  { app: "bookstore-v2", namespace: "bookstore", workload: "bookstore-v2" },
  { app: "bookwarehouse", namespace: "bookwarehouse", workload: "bookwarehouse" },
];

const buyerServed: Expectation = { kind: "served", from: "bookbuyer", to: "bookstore" };
const buyerUnbroken: Expectation = { kind: "unbroken", from: "bookbuyer", to: "bookstore" };
const thiefRefused: Expectation = { kind: "refused", from: "bookthief", to: "bookstore" };
/** Only a split draws lots: before it, turns may be taken so that one store answers every question and sells nothing. */
const storesServed: readonly Expectation[] = [
  { kind: "served", from: "bookstore-v1", to: "bookwarehouse" },
  { kind: "served", from: "bookstore-v2", to: "bookwarehouse" },
];
const splitLines = (v1: number, v2: number) => [
  "  service: bookstore.bookstore",
  "    - service: bookstore-v1",
  `      weight: ${v1}`,
  "    - service: bookstore-v2",
  `      weight: ${v2}`,
];
const warehouseServed: Expectation = { kind: "served", from: "bookwarehouse", to: "mysql" };

export const demoSteps: readonly DemoStep[] = [
  {
    id: "permissive",
    title: "Permissive mode",
    explanation:
      "Every pod has a sidecar and all traffic between pods is mutual TLS, but nobody has said who may call whom: " +
      "everybody may. The thief gets its books like any customer.",
    puts: [],
    expects: [buyerServed, { kind: "served", from: "bookthief", to: "bookstore" }, warehouseServed],
  },
  {
    id: "access-policy",
    title: "Access policy",
    explanation:
      "TrafficTargets name the callers of each service account, then permissive mode is switched off. The buyer " +
      "notices nothing. The thief is in no list: its connections end at once.",
    puts: [
      {
        from: "access-policy/access.yaml",
        to: "access.yaml",
        shows: [
          "kind: TrafficTarget",
          "  destination:",
          "    name: bookstore-v1",
          "  sources:",
          "      name: bookbuyer",
        ],
      },
      {
        from: "access-policy/mesh-config.yaml",
        to: "mesh-config.yaml",
        shows: ["kind: MeshConfig", "  traffic:", "    enablePermissiveTrafficPolicyMode: false"],
      },
    ],
    expects: [buyerServed, buyerUnbroken, thiefRefused, warehouseServed],
  },
  {
    id: "split-even",
    title: "Traffic split, half and half",
    explanation: "A TrafficSplit on the name that everybody calls sends half of the requests to each version.",
    puts: [{ from: "split-even/split.yaml", to: "split.yaml", shows: splitLines(50, 50) }],
    expects: [
      buyerUnbroken,
      thiefRefused,
      { kind: "shares", from: "bookbuyer", to: "bookstore", shares: { "bookstore-v1": 0.5, "bookstore-v2": 0.5 } },
      ...storesServed,
    ],
  },
  {
    id: "split-all-v1",
    title: "Traffic split, all to version 1",
    explanation: "The same object with other weights. Version 2 runs on, and no request reaches it.",
    puts: [{ from: "split-all-v1/split.yaml", to: "split.yaml", shows: splitLines(100, 0) }],
    expects: [
      buyerUnbroken,
      thiefRefused,
      { kind: "shares", from: "bookbuyer", to: "bookstore", shares: { "bookstore-v1": 1, "bookstore-v2": 0 } },
    ],
  },
  {
    id: "rotate-certificates",
    title: "New certificates for everybody",
    explanation: "All workload certificates are issued anew under load. Connections stay open, no request fails.",
    puts: [],
    action: "rotate-certificates",
    expects: [buyerUnbroken, buyerServed, thiefRefused, warehouseServed],
  },
  {
    id: "kill-control-plane",
    title: "The control plane dies",
    explanation:
      "The control plane is killed without warning and comes back. The sidecars go on with what they know, and are " +
      "sent nothing again that they have.",
    puts: [],
    action: "kill-control-plane",
    expects: [buyerUnbroken, buyerServed, thiefRefused, warehouseServed],
  },
];
