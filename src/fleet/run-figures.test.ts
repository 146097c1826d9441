import { createServer } from "node:net";
import { expect, test } from "vitest";
import { FigureReader } from "./run-figures.ts";

test("a control plane that ends in the middle of a run has no figures, and the run goes on to say so", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  const figures = new FigureReader([{ admin: { host: "127.0.0.1", port } }]);
  expect(await figures.read()).toMatchObject({ cpuSeconds: undefined, generated: undefined });
  await figures.read();
  const { errors, errorExamples } = figures.errors();
  expect(errors).toEqual({ "no-figures": 2 });
  expect(errorExamples["no-figures"]).toContain("ECONNREFUSED");
});
