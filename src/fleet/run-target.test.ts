import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Clock } from "../lib/mod.ts";
import { openTarget, type PodIdentity, TargetError } from "./run-target.ts";
import { readScenario } from "./scenario-file.ts";

const books: PodIdentity = { namespace: "shop", name: "books-1", uuid: "3f5c9c1e-0000-4000-8000-000000000001" };
const wine: PodIdentity = { namespace: "shop", name: "wine-1", uuid: "3f5c9c1e-0000-4000-8000-000000000002" };
/** Of an earlier run: another pod, and a pod of the same name. */
const stale: PodIdentity = { namespace: "shop", name: "cheese-1", uuid: "3f5c9c1e-0000-4000-8000-000000000003" };
const former: PodIdentity = { ...wine, uuid: "3f5c9c1e-0000-4000-8000-000000000004" };

/** What the control plane knows: one answer after the other, the last of them again and again. */
let answers: (readonly PodIdentity[])[] = [];
let asked = 0;
const admin = createServer((_request, response) => {
  const known = answers[Math.min(asked++, answers.length - 1)] ?? [];
  response.end(JSON.stringify(known.map(({ namespace, name, uuid }) => ({ namespace, pod: name, uuid }))));
});
afterEach(() => {
  asked = 0;
  admin.close();
});

test("proxies wait until the control plane has forgotten the pods of an earlier run and knows all of this one", async () => {
  answers = [[stale, books], [former, books], [books], [books, wine, stale], [wine, books]];
  await (await target()).knows([books, wine]);
  expect(asked).toBe(answers.length);
});

test("a control plane that serves another folder is told by pods that differ, not by their number", async () => {
  answers = [[stale, books]];
  const waiting = (await target()).knows([books, wine]);
  await expect(waiting).rejects.toThrow(TargetError);
  await expect(waiting).rejects.toThrow(
    `does not know pod shop/wine-1 (${wine.uuid}), of target.folder, and knows pod shop/cheese-1 (${stale.uuid}), not of target.folder`,
  );
});

async function target() {
  admin.listen(0, "127.0.0.1");
  await once(admin, "listening");
  const { port } = admin.address() as AddressInfo;
  const scenario = readScenario(
    `{name: mine, shape: W1, target: {address: "127.0.0.1:1", admin: "127.0.0.1:${port}", folder: /srv/mesh}}`,
    "mine.yaml",
  );
  return await openTarget(scenario, {
    folder: "/srv/mesh",
    serve: { command: [], env: {} },
    access: { tls: undefined, credentials: { kind: "none" } },
    clock: passingClock(),
  });
}

/** Time passes only while somebody waits. */
function passingClock(): Clock {
  let nowMs = 0;
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, action) {
      const at = nowMs + delayMs;
      const immediate = setImmediate(() => {
        nowMs = Math.max(nowMs, at);
        action();
      });
      return () => clearImmediate(immediate);
    },
  };
}
