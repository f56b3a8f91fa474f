import type { Threads } from "./threads.ts";

export interface Use {
  readonly hasTurn: (threadId: string) => boolean;
  /** Whether a request in flight opens the thread: its response may bring a subscriber. */
  readonly isOpening: (threadId: string) => boolean;
  /** Whether being heard keeps a thread loaded. */
  readonly hearingCounts: boolean;
}

/**
 * The loaded threads among these, and among those that work for the same one, which nobody hears and no
 * turn uses and no request opens. Sub-agents' threads go with the thread they work for.
 */
export function unusedThreads(
  threads: Threads<object>,
  among: Iterable<string>,
  { hasTurn, isOpening, hearingCounts }: Use,
): string[] {
  const roots = new Set([...among].map((threadId) => threads.rootOf(threadId)));
  return [...roots].flatMap((root) => {
    const family = threads.family(root);
    if (family.some((each) => hasTurn(each) || isOpening(each))) return [];
    return family.filter(
      (each) => threads.knows(each) && !(hearingCounts && threads.audience(each).size > 0),
    );
  });
}
