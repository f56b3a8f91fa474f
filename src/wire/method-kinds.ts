/** Requests that begin a turn on the thread they name. */
export const TURN_STARTERS: ReadonlySet<string> = new Set([
  "turn/start",
  "review/start",
  "thread/compact/start",
]);

/** Requests whose answer names a thread that whoever asked hears from then on. */
export const THREAD_OPENERS: ReadonlySet<string> = new Set([
  "thread/start",
  "thread/resume",
  "thread/fork",
]);

/** Messages whose `requestId` is the id of another request of the client's, those of codex 0.171 included. */
export const NAME_REQUESTS: ReadonlySet<string> = new Set([
  "thread/sample/cancel",
  "thread/search/cancel",
  "thread/search/partial",
  "thread/search/stream/cancel",
  "userVerification/cancel",
]);

/** Requests that run in a directory, which is the app-server's own, and so no one's, unless it is named. */
export const NEED_CWD: ReadonlySet<string> = new Set([
  "thread/start",
  "command/exec",
  "process/spawn",
]);

/** Notifications that an app-server sends once at its start, and once to each new connection. */
export const GREETINGS: ReadonlySet<string> = new Set([
  "configWarning",
  "remoteControl/status/changed",
]);
