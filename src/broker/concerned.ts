import type { Threads } from "./threads.ts";
import type { TurnBook } from "./turn-book.ts";

/** Returns the session that runs the thread's turn, and all subscribers of the thread. */
export function concernedWith<S extends object>(
  threadId: string,
  threads: Threads<S>,
  turns: TurnBook<S>,
): ReadonlySet<S> {
  const owner = ownerOf(threadId, threads, turns);
  const audience = threads.audience(threadId);
  return owner === undefined ? audience : new Set([owner, ...audience]);
}

/** A sub-agent works for the session that started the turn which it serves. */
function ownerOf<S extends object>(
  threadId: string,
  threads: Threads<S>,
  turns: TurnBook<S>,
): S | undefined {
  const owner = turns.get(threadId)?.owner;
  const parent = threads.parentOf(threadId);
  return owner ?? (parent === undefined ? undefined : ownerOf(parent, threads, turns));
}
