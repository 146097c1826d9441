import {
  allServices,
  type ChangeContext,
  type ChangeStep,
  type Effect,
  endpointSign,
  turns,
} from "./action-changes.ts";
import type { FeedTrouble } from "./feed.ts";
import type { Action, SourceTrouble } from "./scenario.ts";
import type { FileKey, World } from "./world.ts";

type TroubleAction = Extract<Action, { kind: "source-trouble" }>;

/** How each trouble begins, and how it ends; what has no beginning is over at once. */
const COURSES: Readonly<
  Record<SourceTrouble, { readonly begin?: (key: FileKey) => FeedTrouble; readonly end?: FeedTrouble }>
> = {
  "torn-write": { begin: (key) => ({ kind: "tear", key }), end: { kind: "mend" } },
  unreadable: { begin: (key) => ({ kind: "lose", key }) },
  "folder-away": { begin: () => ({ kind: "away" }), end: { kind: "back" } },
  "queue-overflow": { end: { kind: "flood" } },
  "rewrite-all": { end: { kind: "rewrite" } },
};

/** Each trouble ends with a change of the file that it was about: when that arrives, the control plane has recovered. */
export function sourceTroubles(action: TroubleAction, { world, random, fresh }: ChangeContext): readonly ChangeStep[] {
  const next = turns(allServices(world), random);
  const { begin, end } = COURSES[action.trouble];
  const step = (atMs: number, apply: (now: World) => Effect): ChangeStep => ({
    kind: "change",
    action: action.kind,
    atMs,
    apply,
  });
  return Array.from({ length: action.count }, (_, turn) => {
    const service = next(turn);
    const address = fresh.address();
    const startMs = action.atMs + turn * action.everyMs;
    const recovery = step(startMs + action.lastsMs, (now) => {
      const [pod] = now.podsOf(service);
      const files = pod === undefined ? [] : now.movePod(pod, address);
      const signs = [endpointSign(now, service, address)];
      return { files, signs, isComplete: true, isRecovery: true, ...(end === undefined ? {} : { trouble: end }) };
    });
    if (begin === undefined) return [recovery];
    const trouble = begin(`slice ${service} 0`);
    return [step(startMs, () => ({ files: [], signs: [], isComplete: true, trouble })), recovery];
  }).flat();
}
