import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
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

test("figures of replicas are added up, and what one has counted stays when it is ended on purpose", async () => {
  const replicas = [1, 2].map((n) => {
    const answer = `osm_push_resources_generated_total ${10 * n}\nprocess_resident_memory_bytes ${100 * n}\n`;
    return createHttpServer((_request, response) => response.end(answer));
  });
  for (const server of replicas) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sources = replicas.map((server) => {
    return { admin: { host: "127.0.0.1", port: (server.address() as AddressInfo).port } };
  });
  const figures = new FigureReader(sources);
  expect(await figures.read()).toMatchObject({ generated: 30, rssBytes: 300 });
  await figures.ending(1);
  replicas[1]?.close();
  await figures.ending(1);
  expect(await figures.read()).toMatchObject({ generated: 30, rssBytes: 100 });
  expect(figures.errors().errors).toEqual({});
  figures.began(1);
  expect(await figures.read()).toMatchObject({ generated: undefined });
  expect(figures.errors().errors).toEqual({ "no-figures": 1 });
  replicas[0]?.close();
});
