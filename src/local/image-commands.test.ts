import { expect, test } from "vitest";
import { containerCommand } from "./container-command.ts";
import { readImageCommands } from "./image-commands.ts";

const host = { caller: { uid: 0, gid: 0 }, healthcheckCommand: ["osm", "healthcheck"] };
const pod = (spec: object) => ({
  apiVersion: "v1",
  kind: "Pod" as const,
  metadata: { name: "p" },
  spec: { containers: [], ...spec },
});

test("an image's program replaces entrypoint and command, and the container's arguments follow", () => {
  const { images = new Map(), problems } = readImageCommands("images:\n  shop/web:v1: [node, web.ts, 1]\n");
  expect(problems).toEqual([]);
  const container = { name: "web", image: "shop/web:v1", command: ["/bin/web"], args: ["--port", "80"] };
  expect(containerCommand(container, pod({}), images, host, false)).toEqual({
    argv: ["node", "web.ts", "1", "--port", "80"],
    user: { kind: "caller", uid: 0, gid: 0 },
    role: "app",
  });
});

test("runAsUser of the container comes before the pod's, and neither means the caller", () => {
  const images = new Map([["web", ["web"]]]);
  const uid = (container: object, spec: object) => {
    const command = containerCommand({ name: "web", image: "web", ...container }, pod(spec), images, host, false);
    return command?.user.kind === "user" ? command.user.uid : command?.user.kind;
  };
  expect(uid({ securityContext: { runAsUser: 5 } }, { securityContext: { runAsUser: 6 } })).toBe(5);
  expect(uid({}, { securityContext: { runAsUser: 6 } })).toBe(6);
  expect(uid({}, {})).toBe("caller");
});

test("only the sidecar's own containers run without an entry", () => {
  expect(containerCommand({ name: "web", image: "web" }, pod({}), new Map(), host, true)).toBeUndefined();
  expect(containerCommand({ name: "envoy", image: "e" }, pod({}), new Map(), host, false)).toBeUndefined();
  expect(containerCommand({ name: "envoy", image: "e" }, pod({}), new Map(), host, true)?.role).toBe("envoy");
});

test("a wrong entry is named and leaves the others in force", () => {
  const { images, problems } = readImageCommands("images:\n  a: [sleep]\n  b: sleep 5\n  c: []\n");
  expect([...(images ?? new Map()).keys()]).toEqual(["a"]);
  expect(problems).toMatchObject([
    { file: "osm.local.yaml", strength: "part", field: 'images["b"]' },
    { file: "osm.local.yaml", strength: "part", field: 'images["c"]' },
  ]);
  expect(readImageCommands("images:\n  a: [").problems).toMatchObject([
    { file: "osm.local.yaml", line: 2, strength: "object", reason: "syntax-error" },
  ]);
  expect(readImageCommands("image:\n  a: [b]\n").problems).toMatchObject([
    { strength: "object", message: expect.stringContaining('no mapping "images"') },
  ]);
  expect(readImageCommands("")).toEqual({ images: new Map(), problems: [] });
});

test("a file that cannot be read changes nothing, so that a slip does not replace every pod", () => {
  expect(readImageCommands("images: [").images).toBeUndefined();
  expect(readImageCommands("image: {a: [b]}\n").images).toBeUndefined();
});
