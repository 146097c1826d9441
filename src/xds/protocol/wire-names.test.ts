import { expect, test } from "vitest";
import { type ResourceTable, TYPE_URLS } from "../resource.ts";
import { DEFAULT_STREAM_LIMITS } from "./protocol.ts";
import { refusalMemory } from "./refusals.ts";
import { sharedResponses } from "./shared-responses.ts";
import { step } from "./step.ts";
import { createStream } from "./stream-state.ts";
import { tableDifference } from "./table-difference.ts";
import { WireClaims } from "./wire-claims.ts";
import { WireNames } from "./wire-names.ts";

const table: ResourceTable = { generation: 1, get: () => undefined, names: () => new Set() };
const limits = { ...DEFAULT_STREAM_LIMITS, nameCharsMax: 80 };
const request = {
  kind: "delta-request",
  typeUrl: TYPE_URLS.cluster,
  nodeId: "",
  nonce: "",
  subscribe: [],
  unsubscribe: [],
  initialVersions: new Map<string, string>(),
  error: undefined,
} as const;

test("a name of too many characters ends the stream, asked for or claimed, and many bytes of few characters do not", () => {
  const endOf = (said: object) => {
    const stream = createStream({
      protocol: "delta",
      nodeIds: ["proxy"],
      memory: refusalMemory(),
      difference: tableDifference(),
      responses: sharedResponses(),
      limits,
    });
    step(stream, { kind: "table", table });
    return step(stream, { ...request, ...said }).end?.code;
  };
  const asked = (name: string) => endOf({ subscribe: WireNames.of(["a", name, "b"]) });
  const claimed = (name: string) =>
    endOf({
      initialVersions: WireClaims.of([
        ["a", "1"],
        [name, "a version"],
      ]),
    });
  for (const said of [asked, claimed]) {
    expect(["a".repeat(80), "ä".repeat(80), "a".repeat(81), "ä".repeat(81)].map(said)).toEqual([
      undefined,
      undefined,
      "RESOURCE_EXHAUSTED",
      "RESOURCE_EXHAUSTED",
    ]);
  }
});
