import { expect, test } from "vitest";
import { InspectorSession } from "./inspector-session.ts";

test("who asks a thread that ends, or has ended, is told so and does not wait for ever", async () => {
  const sent: string[] = [];
  const session = new InspectorSession(
    (text) => sent.push(text),
    () => undefined,
  );
  const asked = [session.call("Runtime.enable"), session.call("Runtime.disable")];
  session.receive('{"id":1,"result":{"a":1}}');
  session.end();
  asked.push(session.call("Runtime.getHeapUsage"));
  expect(await Promise.allSettled(asked)).toMatchObject([
    { status: "fulfilled", value: { a: 1 } },
    { status: "rejected", reason: { message: "the inspector's connection ended" } },
    { status: "rejected", reason: { message: "the inspector's connection ended" } },
  ]);
  expect(sent).toHaveLength(2);
});
