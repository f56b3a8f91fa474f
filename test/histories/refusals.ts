import type { Asked, Ledger } from "./ledger.ts";
import type { Answer } from "./session.ts";
import type { Watcher } from "./watcher.ts";

interface About {
  readonly session: Watcher;
  readonly threadId?: string;
  readonly busy?: Pick<Asked, "from" | "wasBusy">;
  readonly whenBusy?: "queue" | "refuse";
}

/** Refusals that depend on what happened to a turn or a job a moment ago. */
const CROSSES: ReadonlySet<string> = new Set([
  "turn/steer",
  "turn/interrupt",
  "broker/job/attach",
  "broker/job/cancel",
]);

/** What Codex says of a thread that has had no turn and is not in memory. */
const UNSAVED = /no rollout found|thread not found|not supported yet|rollout at .* is empty/;

/** What Codex says of a thread that the session has left. */
const UNLOADED = /thread not found/;

/** Why a request must not have been refused like this, or undefined where it may. */
export function objectionTo(
  method: string,
  { kind, message }: Extract<Answer, { ok: false }>,
  { session, threadId, busy, whenBusy }: About,
  ledger: Ledger,
): string | undefined {
  if (kind === "unanswered") return undefined; // It is reported where it was waited for.
  if (session.isLeft) return undefined;
  if (kind === "unexpected") return "this is no error of the interface";
  if (ledger.outages > 0 || CROSSES.has(method)) return undefined;
  if (kind === "gone" || kind === "draining") {
    return session.isDraining && session.session.kind === "raw" ? undefined : "nothing was stopped";
  }
  if (kind === "threadBusy") {
    if (whenBusy === "queue") return "it was to wait";
    return busy?.wasBusy() === true ? undefined : "no other turn was there";
  }
  if (kind === "invalidRequest" && method === "joinTurn") return undefined;
  const since = busy?.from ?? Infinity;
  const hasLeft = threadId !== undefined && session.hasLeft(threadId, since);
  if (hasLeft && UNLOADED.test(message)) return undefined;
  const isUnsaved = threadId !== undefined && !ledger.isSaved(threadId);
  return isUnsaved && UNSAVED.test(message) ? undefined : "nothing explains it";
}
