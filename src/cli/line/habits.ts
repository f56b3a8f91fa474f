/**
 * What people type from habit, and what does that here. The similarity of spelling would lead them
 * elsewhere: of all commands, `call` is spelt most like `kill`.
 */
const COMMANDS: Readonly<Record<string, string>> = {
  ...forEach("stop", "kill", "end", "exit", "quit", "shutdown", "down", "terminate"),
  ...forEach("ensure", "start", "up", "launch", "open", "connect", "init"),
  ...forEach("rotate", "restart", "reload", "replace", "refresh"),
  ...forEach("ps", "ls", "list", "brokers", "all", "top"),
  ...forEach("status", "info", "state", "show"),
  ...forEach("doctor", "check", "diagnose", "fix", "repair", "health"),
  ...forEach("logs", "tail", "journal"),
  ...forEach("run", "exec", "ask", "do", "prompt", "turn"),
  ...forEach("run --resume", "resume", "continue"),
  ...forEach("serve", "daemon", "server"),
  ...forEach("proxy", "app-server"),
  ...forEach("env", "export"),
  ...forEach("transfer", "import"),
  ...forEach("jobs cancel", "cancel", "abort", "interrupt"),
  ...forEach("jobs attach", "attach", "watch", "follow"),
  ...forEach("jobs wait", "wait"),
  ...forEach("jobs result", "result", "output"),
  ...forEach("jobs", "job", "tasks", "background"),
  ...forEach("uninstall", "remove", "purge", "clean"),
  ...forEach("setup", "install", "configure"),
};

/** The same behind `jobs`. */
const JOB_VERBS: Readonly<Record<string, string>> = {
  ...forEach("cancel", "kill", "stop", "abort", "interrupt", "end"),
  ...forEach("list", "ls", "ps", "all"),
  ...forEach("show", "status", "info"),
  ...forEach("attach", "watch", "follow", "join"),
  ...forEach("result", "output", "get", "message"),
  ...forEach("logs", "log", "tail", "journal"),
  ...forEach("clean", "remove", "delete", "prune", "purge"),
  ...forEach("resume", "continue"),
};

/** Names of options, each with what is meant where the command has it. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  watch: ["follow"],
  tail: ["follow", "lines"],
  cd: ["cwd"],
  dir: ["cwd"],
  directory: ["cwd"],
  workspace: ["cwd"],
  silent: ["quiet"],
  verbose: ["level"],
  detach: ["background"],
  prompt: ["file"],
  continue: ["resume"],
  thread: ["resume"],
  "wait-for": ["timeout"],
};

/** Returns what to type after `codex-broker` instead of a word that is no command. */
export function commandMeant(word: string): string | undefined {
  return Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
}

export function jobVerbMeant(word: string): string | undefined {
  return Object.hasOwn(JOB_VERBS, word) ? JOB_VERBS[word] : undefined;
}

/** Returns the option, without dashes, that stands for an unknown one of the command. */
export function optionMeant(name: string, there: (name: string) => boolean): string | undefined {
  return Object.hasOwn(OPTIONS, name) ? OPTIONS[name]?.find((each) => there(each)) : undefined;
}

function forEach(meant: string, ...words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(words.map((word) => [word, meant]));
}
