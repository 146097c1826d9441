import type { ResourceTable } from "../resource.ts";
import { nextResponses } from "./order.ts";
import type { DeltaRequest, SotwRequest, Step, StreamEnd, StreamInput } from "./protocol.ts";
import { boundedMessage } from "./refusals.ts";
import { moveToTable, takeDeltaRequest, takeSotwRequest } from "./requests.ts";
import { has, type StreamState } from "./stream-state.ts";
import { isAcknowledged, type Subscription } from "./subscription.ts";
import { Verdicts } from "./verdicts.ts";

/**
 * Gives one input to a stream and says what follows. Total and deterministic; reads no clock and does no I/O. The state
 * is brought up to date in place: nothing that grows with the size of the table is copied.
 *
 * Follows https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol.
 */
export function step(state: StreamState, input: StreamInput): Step {
  const verdicts = new Verdicts();
  const end = state.isEnded ? undefined : take(state, input, verdicts);
  if (end !== undefined) {
    state.isEnded = true;
    return { responses: [], verdicts: verdicts.list, settledGeneration: undefined, end };
  }
  if (state.isEnded || state.table === undefined) {
    return { responses: [], verdicts: verdicts.list, settledGeneration: undefined, end };
  }
  const responses = nextResponses(state, state.table);
  return { responses, verdicts: verdicts.list, settledGeneration: newlySettled(state, state.table), end };
}

function take(state: StreamState, input: StreamInput, verdicts: Verdicts): StreamEnd | undefined {
  switch (input.kind) {
    case "quiet":
      state.isQuiet = true;
      return undefined;
    case "table": {
      const previous = state.table;
      state.table = input.table;
      if (previous !== undefined) moveToTable(state, previous, input.table);
      return takeWaiting(state, input.table, verdicts);
    }
    default: {
      const { nodeId } = input;
      if (nodeId !== "" && !state.options.nodeIds.includes(nodeId)) {
        const found = boundedMessage(nodeId).slice(0, 128);
        return {
          code: "PERMISSION_DENIED",
          message: `node.id "${found}" is not a name of the presented credential (${state.options.nodeIds.join(", ")})`,
        };
      }
      if (state.table !== undefined) return takeRequest(state, state.table, input, verdicts);
      state.waiting ??= [];
      if (state.waiting.length >= state.limits.waitingMax) {
        return {
          code: "RESOURCE_EXHAUSTED",
          message: `more than ${state.limits.waitingMax} requests before an answer`,
        };
      }
      state.waiting.push(input);
      return undefined;
    }
  }
}

function takeWaiting(state: StreamState, table: ResourceTable, verdicts: Verdicts): StreamEnd | undefined {
  const waiting = state.waiting ?? [];
  state.waiting = undefined;
  for (const request of waiting) {
    const end = takeRequest(state, table, request, verdicts);
    if (end !== undefined) return end;
  }
  return undefined;
}

function takeRequest(
  state: StreamState,
  table: ResourceTable,
  request: DeltaRequest | SotwRequest,
  verdicts: Verdicts,
): StreamEnd | undefined {
  if (!state.hasRequested) {
    state.hasRequested = true;
    // A process that lists nothing has most likely just started: what its predecessor refused says nothing about it.
    const isFresh = request.kind === "delta-request" ? request.initialVersions.size === 0 : request.version === "";
    if (isFresh) state.options.memory.forgetRefused();
  }
  return request.kind === "delta-request"
    ? takeDeltaRequest(state, table, request, verdicts)
    : takeSotwRequest(state, table, request, verdicts);
}

function newlySettled(state: StreamState, table: ResourceTable): number | undefined {
  if (table.generation <= state.settledGeneration || state.subscriptions.length === 0) return undefined;
  const { subscriptions } = state;
  for (let n = 0; n < subscriptions.length; n++) {
    if (has(state.unsettled, n) && !isAcknowledged(subscriptions[n] as Subscription)) return undefined;
  }
  state.settledGeneration = table.generation;
  return table.generation;
}
