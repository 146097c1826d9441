/** What a folder inside of a room may import of the room's other folders; what lies beside them is for all. */
export interface Folder {
  readonly mayImport: readonly string[];
  readonly pure?: true;
}

/** What a room (a folder with one door) may import. */
export interface Room {
  /**
   * Rooms or single files. A room's name opens its door `mod.ts` alone; a file's path opens that file, whether it is a
   * second door or not.
   */
  readonly mayImport: readonly string[];
  /** Only values in, values out: no file, socket, process or thread. */
  readonly pure?: true;
  /** Time and chance come in through `Clock` and a random source, so that a test can hold them. */
  readonly injectedTime?: true;
  /** Of a room that is too large to be one folder: all its folders. */
  readonly folders?: Readonly<Record<string, Folder>>;
}

/** Neighbours may import these files beside `mod.ts`: what they need without the rest of the room. */
export const secondDoors: readonly string[] = [
  "src/envoy/bootstrap.ts",
  "src/envoy/describe.ts",
  "src/envoy/endpoints.ts",
  "src/envoy/routes-inbound.ts",
  "src/envoy/routes-outbound.ts",
  "src/envoy/secrets.ts",
  "src/kube/objects.ts",
  "src/platform/compiled-code.ts",
  "src/platform/http.ts",
  "src/platform/process-memory.ts",
  "src/platform/json-request.ts",
  "src/platform/tls-settings.ts",
  "src/xds/resource.ts",
  // The inside of a thread, without the server around it.
  "src/xds/threads/stream-thread.ts",
  "workers/messages.ts",
  // The same jobs without threads.
  "workers/generate.ts",
  "workers/sign.ts",
  "workers/parse.ts",
  "workers/describe.ts",
  "src/admin/api.ts",
];

const basics = ["src/lib", "src/platform"];

/** The import table of ARCHITECTURE.md. A room that is not named here may not exist. */
export const rooms: Readonly<Record<string, Room>> = {
  "src/lib": { mayImport: [] },
  "src/platform": { mayImport: ["src/lib"] },
  "src/kube": { mayImport: basics },
  "src/manifests": { mayImport: ["src/kube/objects.ts", ...basics], injectedTime: true },
  "src/translate": { mayImport: ["src/kube/objects.ts", "src/mesh", "src/lib"], pure: true, injectedTime: true },
  "src/mesh": { mayImport: ["src/lib"], pure: true, injectedTime: true },
  "src/envoy": { mayImport: ["src/mesh", "proto", "src/lib"], pure: true, injectedTime: true },
  "src/http2": { mayImport: ["src/lib"], pure: true, injectedTime: true },
  "src/xds": {
    mayImport: ["proto", "src/http2", ...basics],
    injectedTime: true,
    folders: {
      protocol: { mayImport: [], pure: true },
      codec: { mayImport: ["protocol"], pure: true },
      sessions: { mayImport: ["protocol", "codec"] },
      admission: { mayImport: [] },
      transports: { mayImport: ["admission", "codec"] },
      threads: { mayImport: ["admission", "transports"] },
    },
  },
  "src/push": {
    mayImport: ["src/mesh", "src/xds/resource.ts", "workers/messages.ts", ...basics],
    injectedTime: true,
  },
  "src/ca": { mayImport: basics, injectedTime: true },
  "src/injector": { mayImport: ["src/kube/objects.ts", "src/envoy/bootstrap.ts", ...basics], injectedTime: true },
  "src/admin": { mayImport: basics, injectedTime: true },
  "src/dashboard": { mayImport: ["src/admin/api.ts"] },
  "src/cli": { mayImport: ["src/kube", "src/kube/objects.ts", "src/admin/api.ts", "src/fleet", ...basics, "src/main"] },
  "src/fleet": { mayImport: ["proto", ...basics] },
  "src/local": {
    mayImport: ["src/manifests", "src/kube/objects.ts", "src/envoy/bootstrap.ts", "src/injector", ...basics],
    injectedTime: true,
  },
  "src/main": { mayImport: ["*"] },
  workers: {
    mayImport: [
      "src/mesh",
      "src/envoy",
      "src/ca",
      "src/manifests",
      "src/kube/objects.ts",
      "src/xds/threads/stream-thread.ts",
      ...basics,
    ],
    injectedTime: true,
  },
  demo: { mayImport: [] },
};

/** May import anything and are imported by nobody else. */
export const outsideRooms: readonly string[] = ["test", "bench", "scripts"];

/** Rooms in which a program talks to a person. */
export const mayUseConsole: readonly string[] = ["src/cli", "src/main/cli.ts", "scripts", "demo", "bench"];

/** vitest takes what it loads by name from the default export. */
export const mayExportDefault: readonly string[] = ["vitest.config.ts", "scripts/lane-reporter.ts"];

/** A file may be this long before it is reported, and this long before it fails. */
export const fileLines = { reported: 300, refused: 500 };
/** A function longer than this is reported. */
export const functionLines = 60;

/** Names that say nothing of what is inside. */
export const bannedNames = /^(utils?|commons?|helpers?|misc|managers?|types|index|shared|stuff)$/;
