/** What a client program is told to do, one JSON object a line. */
export interface Order {
  readonly id: number;
  readonly do: "turn" | "request";
  /** For the scripted model. */
  readonly prompt?: string;
  /** What the turn must have said when it completes. */
  readonly expected?: string;
  /** Go on with the thread of an earlier turn. */
  readonly threadId?: string;
  /** Interrupt the turn so long after it has begun. */
  readonly interruptAfterMs?: number;
  /** Leave, without a word, so long after the turn has begun. */
  readonly leaveAfterMs?: number;
}

/** How it came out. */
export interface Result {
  readonly id: number;
  /** `completed`, `interrupted`, `left`, `cut`, `doubled`, `unreachable`, `closed`, or the kind of an error. */
  readonly outcome: string;
  readonly detail?: string;
  readonly threadId?: string;
  /** Connections to the fixed path that were refused on the way. */
  readonly refused?: readonly string[];
}

export interface ClientOfSomeKind {
  carryOut(order: Order): Promise<Result>;
}

/** What was said must be what the script says, once and whole. */
export function judged(
  order: Order,
  said: string,
  heard: string,
): Pick<Result, "outcome" | "detail"> {
  const expected = order.expected ?? "";
  const [whole, inPieces] = [said.trim(), heard.trim()];
  if (whole === expected && inPieces === expected) return { outcome: "completed" };
  const outcome = inPieces.length > expected.length ? "doubled" : "cut";
  return { outcome, detail: JSON.stringify({ expected, whole, inPieces }) };
}
