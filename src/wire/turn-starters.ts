/** Requests that begin a turn on the thread they name. */
export const TURN_STARTERS: ReadonlySet<string> = new Set([
  "turn/start",
  "review/start",
  "thread/compact/start",
]);
