/** Many clients in a process of their own, so that their work is not the server's. */
import process from "node:process";
import { type Arrival, addressesOf, type ClientCredential, DeltaClient, ENDPOINTS } from "./delta-client.ts";
import type { ClientCounts, FromClients, ToClients } from "./messages.ts";

/** A client and what the bench wants to know about it. */
interface Follower {
  readonly credential: ClientCredential;
  client: DeltaClient;
  acknowledgedAt: bigint | undefined;
  content: string;
}

const followers: Follower[] = [];
let address = "";
let watch = "";
let isComplete = false;
let counts: ClientCounts = { responses: 0, resources: 0, repeated: 0, removed: 0, bytes: 0 };

/** Longest that the clients may wait for what they asked for. */
const PATIENCE_MS = 20_000;
let patience: NodeJS.Timeout | undefined;

const tell = (message: FromClients) => process.send?.(message);

process.on("message", (message: ToClients) => {
  if (message.type !== "count") beImpatient();
  switch (message.type) {
    case "connect":
      ({ address, watch } = message);
      for (const credential of message.credentials) followers.push(open(credential));
      break;
    case "reconnect":
      isComplete = false;
      for (const follower of followers) {
        const before = follower.client;
        before.close();
        follower.client = connect(follower.credential, () => follower, before);
      }
      break;
    case "count":
      tell({ type: "counted", counts });
      break;
  }
});
process.on("disconnect", () => process.exit(0));

function beImpatient(): void {
  patience = setTimeout(() => {
    tell({ type: "failed", message: `after ${PATIENCE_MS} ms a client still waits for ${firstMissing()}` });
  }, PATIENCE_MS);
}

function firstMissing(): string | undefined {
  for (const { client } of followers) {
    const missing = client.missing();
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function open(credential: ClientCredential): Follower {
  const follower: Follower = {
    credential,
    client: connect(credential, () => follower),
    acknowledgedAt: undefined,
    content: "",
  };
  return follower;
}

function connect(credential: ClientCredential, self: () => Follower, before?: DeltaClient): DeltaClient {
  const client = new DeltaClient(address, credential, {
    arrived: (arrival) => take(self(), arrival),
    ended: (why) => tell({ type: "failed", message: `the stream of client ${credential.uuid} ended: ${why}` }),
  });
  client.start(before);
  return client;
}

function take(follower: Follower, { typeUrl, received, removed, bytes, acknowledgedAt }: Arrival): void {
  counts = {
    responses: counts.responses + 1,
    resources: counts.resources + received.length,
    repeated: counts.repeated + received.filter(({ isRepeated }) => isRepeated).length,
    removed: counts.removed + removed.length,
    bytes: counts.bytes + bytes,
  };
  const watched = typeUrl === ENDPOINTS ? received.find(({ name }) => name === watch) : undefined;
  if (watched !== undefined) follower.content = addressesOf(watched.bytes).join(" ");
  if (!isComplete) {
    isComplete = firstMissing() === undefined;
    if (!isComplete) return;
    clearTimeout(patience);
    tell({ type: "complete" });
    return;
  }
  if (watched === undefined || watched.isRepeated) return;
  follower.acknowledgedAt = acknowledgedAt;
  if (followers.some((each) => each.acknowledgedAt === undefined)) return;
  tell({
    type: "changed",
    acknowledgedAt: followers.map((each) => String(each.acknowledgedAt)),
    contents: [...new Set(followers.map(({ content }) => content))],
  });
  for (const each of followers) each.acknowledgedAt = undefined;
}
