/** Figures that hardly depend on the machine: what one delivery allocates, and what one proxy occupies. */
import { getHeapStatistics } from "node:v8";
import { namedShape } from "../src/fleet/shape.ts";
import { openMesh, requireAll } from "./mesh.ts";
import { SilentFleet } from "./micro/session.ts";

const STREAMS = 1_000;
const WARM_UP_PUSHES = 30;
const PUSHES = 50;

/** Bytes that the JavaScript heap gives out for one response with one changed resource and its ACK, on streams without a network. */
export async function allocatedPerDelivery(): Promise<number> {
  const fleet = new SilentFleet({ streams: STREAMS, resources: 100 });
  await fleet.connect();
  let bytes = 0;
  for (let n = 0; n < WARM_UP_PUSHES + PUSHES; n++) {
    const before = allocatedBytes();
    await fleet.push();
    const sent = allocatedBytes() - before;
    // What the clients allocate for their answers is not the server's.
    const answers = fleet.answers();
    const beforeAnswers = allocatedBytes();
    fleet.acknowledge(answers);
    if (n >= WARM_UP_PUSHES) bytes += sent + allocatedBytes() - beforeAnswers;
  }
  return bytes / (PUSHES * STREAMS);
}

/** Resident bytes of the control plane per proxy, everything in: 500 proxies that see 50 services. */
export async function residentPerProxy(): Promise<number> {
  const shape = namedShape("W2");
  if (shape === undefined) throw new Error("there is no shape W2");
  const mesh = await openMesh(shape);
  try {
    requireAll("resident bytes", await mesh.fleet.connect());
    return (await mesh.plane.metric("process_resident_memory_bytes")) / mesh.proxies.length;
  } finally {
    await mesh.close();
  }
}

/** Since the start, collected or not. Node 24 and newer. */
function allocatedBytes(): number {
  const { total_allocated_bytes: bytes } = getHeapStatistics() as { readonly total_allocated_bytes?: number };
  if (bytes === undefined) throw new Error("this Node does not say how much it has allocated");
  return bytes;
}
