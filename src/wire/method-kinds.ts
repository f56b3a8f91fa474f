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
