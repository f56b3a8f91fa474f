import { command } from "./command.ts";
import { quick } from "./quick-commands.ts";
import { jsonOption, scopeOptions, sharingOptions, startOptions } from "./options.ts";

/** A thread id, or the beginning of one: anything else after `--resume` is a prompt. */
const THREAD_ID = /^[0-9a-f]{8}[0-9a-f-]*$/i;

export const runOptions = {
  file: { short: "f", value: "FILE", help: "read the prompt from a file" },
  ...scopeOptions,
  ...sharingOptions,
  model: { value: "MODEL", help: "the model to ask" },
  effort: { value: "LEVEL", help: "how hard it thinks: low, medium, high, …" },
  sandbox: {
    value: "MODE",
    choices: ["read-only", "workspace-write", "danger-full-access"],
    help: "what its commands may touch; replaces a permission profile of Codex's configuration",
  },
  "default-sandbox": {
    value: "MODE",
    choices: ["read-only", "workspace-write", "danger-full-access"],
    help: "the same where Codex's configuration selects no permission profile",
  },
  approval: {
    value: "POLICY",
    choices: ["untrusted", "on-request", "never"],
    help: "when Codex asks before it acts",
  },
  approve: {
    value: "WHAT",
    choices: ["all", "none"],
    help: "the answer when it asks to run a command or change a file (default: ask, or none)",
  },
  "allow-mcp": {
    value: "SERVER[/TOOL]",
    many: true,
    help: "let it call the tools of this MCP server, or this one; may be repeated",
  },
  policy: { value: "FILE", help: "JSON: what it may do without anybody being asked" },
  "output-schema": { value: "FILE", help: "JSON Schema for the final message" },
  resume: {
    value: "THREAD",
    valueLooksLike: THREAD_ID,
    help: "continue this thread, or without an id the newest one of the workspace",
  },
  queue: { help: "wait for the thread's running turn instead of being refused" },
  background: { help: "return when the turn has begun; `codex-broker jobs` has it from then on" },
  ephemeral: { help: "leave nothing on disk; such a thread cannot be resumed" },
  timeout: { value: "SECONDS", help: "interrupt the turn when it takes longer" },
  json: { help: "print one event a line on stdout, and a result as the last one" },
  quiet: { short: "q", help: "no progress on stderr" },
  ...startOptions,
} as const;

export const reviewOptions = {
  base: { value: "REF", help: "review what has come about since this branch or commit" },
  commit: { value: "SHA", help: "review this commit" },
  adversarial: { help: "look for reasons not to ship it; gives findings in a fixed form" },
  file: { short: "f", value: "FILE", help: "read the focus of an adversarial review from a file" },
  ...scopeOptions,
  ...sharingOptions,
  model: { value: "MODEL", help: "the model to ask" },
  effort: { value: "LEVEL", help: "how hard an adversarial review thinks: low, medium, high, …" },
  sandbox: {
    value: "MODE",
    choices: ["read-only", "workspace-write", "danger-full-access"],
    help: "what its commands may touch; replaces a permission profile (default: read-only)",
  },
  background: { help: "return when the review has begun; `codex-broker jobs` has it from then on" },
  timeout: { value: "SECONDS", help: "interrupt the review when it takes longer" },
  ...jsonOption,
  quiet: { short: "q", help: "no progress on stderr" },
  ...startOptions,
} as const;

export const transferOptions = {
  session: {
    value: "ID|PATH",
    help: "its id or its file (default: the newest one of this directory)",
  },
  ...scopeOptions,
  timeout: { value: "SECONDS", help: "how long the import may take (default: 120)" },
  ...jsonOption,
  ...startOptions,
} as const;

export const setupOptions = { ...scopeOptions, ...jsonOption, ...startOptions } as const;

export const stopOptions = {
  ...scopeOptions,
  all: { help: "every broker of this user, whatever its workspace" },
  force: { help: "interrupt running turns instead of waiting for them" },
  timeout: { value: "SECONDS", help: "how long to wait for its end (default: 60)" },
  ...jsonOption,
} as const;
export const logsOptions = {
  ...scopeOptions,
  follow: { short: "f", help: "go on printing what is added" },
  epoch: { value: "N", help: "the log of this epoch (default: the newest)" },
  lines: { short: "n", value: "N", help: "the last so many lines (default: all)" },
  level: {
    value: "LEVEL",
    choices: ["debug", "info", "warn", "error"],
    help: "the least level to show (default: info; with --json: all)",
  },
  json: { help: "print the lines as they are, and the obituary as one more" },
} as const;
export const proxyOptions = { ...scopeOptions, ...sharingOptions, ...startOptions } as const;
export const serveOptions = {
  ...scopeOptions,
  replace: { help: "take over from a broker that is running; its turns go on in it" },
  ...startOptions,
} as const;

export const doctorOptions = {
  ...scopeOptions,
  fix: { help: "do what is provably safe about it" },
  ...jsonOption,
} as const;
export const jobsOptions = {
  ...scopeOptions,
  all: { help: "list or clean: of all workspaces, the older ones too" },
  follow: { short: "f", help: "logs: go on until the job has ended" },
  from: { value: "N", help: "logs, attach: the first entry of the journal to tell (default: 1)" },
  attach: { help: "resume: stay and watch, as attach does" },
  timeout: {
    value: "SECONDS",
    help: "wait, cancel: how long to wait (default: to the end, or 60)",
  },
  ...jsonOption,
} as const;
export const psOptions = { ...jsonOption } as const;
export const statsOptions = { ...jsonOption } as const;
export const rotateOptions = { ...scopeOptions, ...startOptions, ...jsonOption } as const;

export const hookOptions = {
  within: { value: "SECONDS", help: "be done by then, counted from the start (default: 5)" },
  session: { value: "ID", help: "whose jobs are meant" },
} as const;
export const uninstallOptions = {
  yes: { help: "do it; without it, only what would be done is told" },
  timeout: {
    value: "SECONDS",
    help: "how long running turns may go on before they are interrupted (default: 60)",
  },
  ...jsonOption,
} as const;
export const completionOptions = {} as const;

/** The shells that a completion can be had for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** All commands, in the order of the help. */
export const commands = [
  command({
    name: "setup",
    summary: "check that everything is there to hand work to Codex",
    about:
      "Goes through what it takes: Node, codex, the state directory, a broker, the login and the sandbox, as Codex " +
      "itself answers about them. For what is missing it says what to type. Ends with code 0 when work can be handed " +
      "over, else with 6. `codex-broker doctor` looks deeper.",
    operands: [],
    options: setupOptions,
    examples: [
      { line: "codex-broker setup", does: "a line each, with a mark" },
      { line: "codex-broker setup --json | jq .ready", does: "for programs" },
    ],
    load: () => import("./commands/setup.ts"),
  }),
  command({
    name: "run",
    summary: "run one turn and print Codex's final message",
    about:
      "Runs one turn through the workspace's broker and prints Codex's final message on stdout. Progress goes to " +
      "stderr. The prompt is what stands after the options, or in --file, or on stdin.",
    operands: [
      { name: "prompt", many: true, help: "what Codex is asked to do; - reads it from stdin" },
    ],
    options: runOptions,
    examples: [
      { line: 'codex-broker run "explain this repository"', does: "ask" },
      { line: "codex-broker run --resume and now in French", does: "go on with the newest thread" },
      {
        line: "git diff | codex-broker run --json",
        does: "prompt from stdin, events as JSON lines",
      },
      {
        line: 'codex-broker run --sandbox workspace-write --allow-mcp notes "file my notes"',
        does: "may call the MCP server notes",
      },
      { line: "codex-broker run -- -m pytest fails, why?", does: "nothing after -- is an option" },
    ],
    load: () => import("./commands/run.ts"),
  }),
  command({
    name: "review",
    summary: "have changes reviewed",
    about:
      "Has Codex's own reviewer look at what is not committed yet, or at what --base or --commit names. With " +
      "--adversarial it is a reader who wants to see the change fail, and its findings come in a fixed form, the " +
      "worst first; what stands after the options says where to look first. Codex may read and run commands, and " +
      "change nothing.",
    operands: [{ name: "focus", many: true, help: "where to look first; - reads it from stdin" }],
    options: reviewOptions,
    examples: [
      { line: "codex-broker review", does: "what is not committed yet" },
      { line: "codex-broker review --base main --background", does: "this branch, as a job" },
      {
        line: "codex-broker review --adversarial -- is -m parsed twice?",
        does: "nothing after -- is an option",
      },
    ],
    load: () => import("./commands/review.ts"),
  }),
  command({
    name: "jobs",
    summary: "what runs in the background, and what came of it",
    about:
      "Jobs are turns that belong to the broker: they go on when whoever started them has gone. A job is named by " +
      "its id or the beginning of it; without one, the newest that fits is meant, and named.",
    operands: [
      {
        name: "what",
        choices: ["list", "show", "result", "wait", "logs", "attach", "cancel", "resume", "clean"],
        help: "list (default), show, result, wait, logs, attach, cancel, resume or clean",
      },
      {
        name: "job",
        many: true,
        help: "its id, or the beginning of it; to resume, a prompt after it",
      },
    ],
    options: jobsOptions,
    examples: [
      { line: "codex-broker jobs", does: "running and recent ones of this workspace" },
      { line: "codex-broker jobs wait", does: "the final message of the newest, when it is there" },
      {
        line: "codex-broker jobs attach k3f",
        does: "what it does, live; Ctrl-C leaves it running",
      },
      { line: "codex-broker jobs cancel k3f", does: "ends it, and says so when it has ended" },
      { line: "codex-broker jobs resume k3f and now in French", does: "goes on with its thread" },
    ],
    load: () => import("./commands/jobs.ts"),
  }),
  command({
    name: "transfer",
    summary: "make a Codex thread of a Claude Code session",
    about:
      "Has Codex import a session of Claude Code as a thread, and prints how to go on with it. A session that was " +
      "transferred before keeps its thread; what has been said since is added to it.",
    operands: [],
    options: transferOptions,
    examples: [
      { line: "codex-broker transfer", does: "the newest session of this directory" },
      { line: "codex-broker transfer --session 21e3ddd1", does: "by the beginning of its id" },
    ],
    load: () => import("./commands/transfer.ts"),
  }),
  command({ ...quick.ensure, load: () => import("./commands/ensure.ts") }),
  command({ ...quick.status, load: () => import("./commands/status.ts") }),
  command({
    name: "stop",
    summary: "ask the broker to end",
    about:
      "Asks the workspace's broker to end and waits until it has, and so for older ones that still finish turns. " +
      "It takes no new work, and its running turns finish first. It is success when there is none. No signal is " +
      "sent to anyone; a broker that does not answer is named, and not waited for.",
    operands: [],
    options: stopOptions,
    examples: [
      { line: "codex-broker stop", does: "when its turns are done" },
      { line: "codex-broker stop --force", does: "interrupt its turns" },
      { line: "codex-broker stop --all", does: "of all workspaces" },
    ],
    load: () => import("./commands/stop.ts"),
  }),
  command({
    name: "ps",
    summary: "list every broker of this user, and how the others ended",
    operands: [],
    options: psOptions,
    examples: [{ line: "codex-broker ps", does: "of all workspaces" }],
    load: () => import("./commands/ps.ts"),
  }),
  command({
    name: "stats",
    summary: "show how turns ended, by the age of the broker, and what was used at most",
    about:
      "Sums up what every broker of this user has seen, in all workspaces: those that run, and those that have " +
      "ended. So the maximum age can be chosen from figures.",
    operands: [],
    options: statsOptions,
    examples: [
      { line: "codex-broker stats", does: "at what age do turns fail?" },
      { line: "codex-broker stats --json | jq .total.peaks", does: "for programs" },
    ],
    load: () => import("./commands/stats.ts"),
  }),
  command({
    name: "rotate",
    summary: "replace the broker by a new one; running turns finish in the old one",
    about:
      "A new broker takes all new work at once. The old one waits for its turns without a limit, and " +
      "`codex-broker ps` shows it until then. Only `stop`, `stop --force` and a turn's own time limit " +
      "interrupt a turn.",
    operands: [],
    options: rotateOptions,
    examples: [{ line: "codex-broker rotate", does: "without cutting a turn" }],
    load: () => import("./commands/rotate.ts"),
  }),
  command({ ...quick.env, load: () => import("./commands/env.ts") }),
  command({
    name: "doctor",
    summary: "look for what is wrong, say what to do, and with --fix do what is safe",
    about:
      "Looks at the state directory, at every broker of this user, at codex and its login, and at what the published " +
      "Codex plugin has left behind. Each finding is told in a sentence, with what to type next. --fix does only what " +
      "is proven to be safe, and says what it did. Ends with code 0 when nothing is wrong, else with 6.",
    operands: [],
    options: doctorOptions,
    examples: [
      { line: "codex-broker doctor", does: "look" },
      { line: "codex-broker doctor --fix", does: "clean up" },
    ],
    load: () => import("./commands/doctor.ts"),
  }),
  command({
    name: "logs",
    summary: "print what a broker has said, and why it ended",
    operands: [],
    options: logsOptions,
    examples: [
      { line: "codex-broker logs", does: "of the newest broker" },
      { line: "codex-broker logs -f", does: "follow it, and its successors" },
      { line: "codex-broker logs --epoch 3 --lines 20", does: "the end of an older one" },
    ],
    load: () => import("./commands/logs.ts"),
  }),
  command({ ...quick.call, load: () => import("./commands/call.ts") }),
  command({
    name: "proxy",
    summary: "be a codex app-server on stdio, with the shared broker behind it",
    about:
      "For any program that starts a `codex app-server` of its own and can be told which command to start. It " +
      "survives rotations of the broker, says so to its program with a warning notification, and ends when its " +
      "stdin ends. Options of `codex app-server` that would change it for everyone are refused.",
    operands: [
      { name: "args", many: true, help: "what the program passes to codex, app-server first" },
    ],
    options: proxyOptions,
    examples: [
      { line: "codex-broker proxy", does: "instead of codex app-server" },
      {
        line: "codex-broker proxy -- app-server --listen stdio://",
        does: "with what it was given",
      },
    ],
    load: () => import("./commands/proxy.ts"),
  }),
  command({
    name: "serve",
    summary: "run the broker in the foreground",
    about:
      "Starts the broker that `ensure` would start, and stays with it: its log goes to stdout, and it does not " +
      "end for lack of work. Ctrl-C lets its turns finish and ends it; a second Ctrl-C interrupts them.",
    operands: [],
    options: serveOptions,
    examples: [
      { line: "codex-broker serve", does: "unless one is running" },
      { line: "codex-broker serve --replace", does: "take over from it" },
    ],
    load: () => import("./commands/serve.ts"),
  }),
  command({
    name: "slash",
    summary: "a slash command of the Claude Code plugin",
    about:
      "What was typed behind the slash command comes on stdin, with a last line that says so: it never is a part of " +
      "a command line. The options are those that the plugin's page of the command names. The here-document has a " +
      "random delimiter, which is made after the text.",
    operands: [
      {
        name: "command",
        required: true,
        help: "review, rescue, status, …; delimiter, can-resume, wait",
      },
      { name: "word", help: "the delimiter of the text; to wait, the id of a job" },
    ],
    options: {},
    examples: [
      { line: "codex-broker slash delimiter", does: "a new delimiter for a text" },
      { line: "codex-broker slash wait k3fq2m9x", does: "as the plugin calls it" },
    ],
    load: () => import("./commands/slash.ts"),
  }),
  command({
    name: "hook",
    summary: "a hook of the Claude Code plugin",
    about:
      "The event comes on stdin as one JSON object. Whatever happens, it is done in time, ends nothing that others " +
      "use, and ends with code 0.",
    operands: [{ name: "event", required: true, help: "session-start, session-end or stop" }],
    options: hookOptions,
    examples: [{ line: "codex-broker hook stop --within 570", does: "as the plugin calls it" }],
    load: () => import("./commands/hook.ts"),
  }),
  command({
    name: "uninstall",
    summary: "end every broker of this user, and remove all that they have left",
    about:
      "Without --yes it says what there is, and does nothing. With it, it asks every broker of this user to end, " +
      "interrupts turns that take too long, and then removes their records, logs, jobs and sockets: what is proven to " +
      "be ours, file by file. What it keeps, it names with the reason. Codex, its login and its threads stay.",
    operands: [],
    options: uninstallOptions,
    examples: [
      { line: "codex-broker uninstall", does: "what would be removed?" },
      { line: "codex-broker uninstall --yes", does: "then `npm uninstall -g codex-broker`" },
    ],
    load: () => import("./commands/uninstall.ts"),
  }),
  command({
    name: "completion",
    summary: "print what a shell needs to complete commands and options",
    operands: [{ name: "shell", required: true, choices: SHELLS, help: SHELLS.join(", ") }],
    options: completionOptions,
    examples: [
      { line: "source <(codex-broker completion bash)", does: "in ~/.bashrc; zsh in the same way" },
      { line: "codex-broker completion fish | source", does: "in ~/.config/fish/config.fish" },
    ],
    load: () => import("./commands/completion.ts"),
  }),
] as const;
