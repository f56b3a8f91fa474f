/**
 * Every failure that this project itself reports. The app-server's own errors are not in here: they
 * travel as {@link RpcError} (see `wire/messages.ts`) and pass through unaltered.
 */

/** Process exit codes of the command line, distinct per outcome so that scripts can branch on them. */
export const EXIT = {
  ok: 0,
  turnFailed: 1,
  usage: 2,
  couldNotStart: 3,
  lost: 4,
  timedOut: 5,
  foundWrong: 6,
  outputLost: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface ErrorFacts {
  /** JSON-RPC code on our own wire. Outside both the reserved range and the app-server's codes. */
  readonly code: number;
  /** Whether the very same call may succeed later without anything being changed by hand. */
  readonly retryable: boolean;
  readonly exit: ExitCode;
  /** What to do next, in a sentence that names a command where there is one. */
  readonly hint: string;
}

const facts = {
  // What was asked for is not possible here.
  usage: { code: -33001, retryable: false, exit: EXIT.usage, hint: "See `codex-broker --help`." },
  workspaceInvalid: {
    code: -33002,
    retryable: false,
    exit: EXIT.usage,
    hint: "Name an existing, readable directory with `--cwd DIR`.",
  },
  codexNotFound: {
    code: -33003,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Install it with `npm install -g @openai/codex`, or set CODEX_BROKER_CODEX to its path.",
  },
  codexUnusable: {
    code: -33004,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Check it with `codex --version`, or set CODEX_BROKER_CODEX to a working binary.",
  },
  codexTooOld: {
    code: -33005,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Update it with `npm install -g @openai/codex@latest`.",
  },
  codexHomeMissing: {
    code: -33006,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Create the directory or correct CODEX_HOME, then try again.",
  },
  codexConfigInvalid: {
    code: -33007,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Correct config.toml in CODEX_HOME; the running broker picks the change up by itself.",
  },
  notLoggedIn: {
    code: -33008,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Log in with `codex login`.",
  },

  sandboxUnusable: {
    code: -33009,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Mend what it names; or, where a container or another sandbox confines Codex already, use `--sandbox danger-full-access`.",
  },
  notReviewable: {
    code: -33060,
    retryable: false,
    exit: EXIT.usage,
    hint: "See `codex-broker review --help` for what can be reviewed.",
  },
  sessionNotFound: {
    code: -33061,
    retryable: false,
    exit: EXIT.usage,
    hint: "Name the file of the session with `codex-broker transfer --session PATH`.",
  },

  // The place where brokers meet is not usable.
  stateDirUnsafe: {
    code: -33010,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Run `codex-broker doctor`: it says what is wrong, and `--fix` closes what is only too open. Or set CODEX_BROKER_STATE_DIR.",
  },
  stateDirUnusable: {
    code: -33011,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Free some space or mend the permissions, or set CODEX_BROKER_STATE_DIR to another directory.",
  },
  socketPathTooLong: {
    code: -33012,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Set CODEX_BROKER_STATE_DIR to a shorter path.",
  },
  sandboxDenied: {
    code: -33013,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Run `codex-broker ensure` outside the sandbox, and allow the sandbox to connect to that socket; `codex-broker doctor` names it.",
  },
  systemLimit: {
    code: -33014,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Raise the limit (`ulimit -n 1024` for open files), or end programs that are not needed, then try again.",
  },

  // A broker could not be had.
  appServerStartFailed: {
    code: -33020,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Read `codex-broker logs`, and try `codex app-server` by hand.",
  },
  brokerStartFailed: {
    code: -33021,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Read `codex-broker logs`.",
  },
  brokerUnavailable: {
    code: -33022,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "See `codex-broker doctor`, then try again with a longer `--start-timeout`.",
  },
  crashLoop: {
    code: -33023,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Read `codex-broker logs` and `codex-broker doctor`; mend the cause before trying again.",
  },
  replacementLoop: {
    code: -33026,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Programs disagree about the broker of this workspace: the reasons say over what. Read `codex-broker logs`, mend the cause, then `codex-broker ensure`.",
  },
  foreignBroker: {
    code: -33024,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Run `codex-broker ensure` to start a broker of your own.",
  },
  protocolMismatch: {
    code: -33025,
    retryable: false,
    exit: EXIT.couldNotStart,
    hint: "Update the older side with `npm install -g codex-broker@latest`, then `codex-broker stop`.",
  },

  // Something that was there has gone.
  connectionLost: {
    code: -33030,
    retryable: true,
    exit: EXIT.lost,
    hint: "Connect again with `codex-broker ensure`; see `codex-broker logs` for why it ended.",
  },
  connectionClosed: {
    code: -33031,
    retryable: false,
    exit: EXIT.lost,
    hint: "Open a new connection; this one was closed by its owner.",
  },
  appServerExited: {
    code: -33032,
    retryable: true,
    exit: EXIT.lost,
    hint: "Try again: the next call gets a new app-server. See `codex-broker logs` for why it ended.",
  },
  turnLost: {
    code: -33033,
    retryable: false,
    exit: EXIT.lost,
    hint: "Continue the thread with `codex-broker run --resume THREAD`.",
  },
  draining: {
    code: -33034,
    retryable: true,
    exit: EXIT.lost,
    hint: "Connect again with `codex-broker ensure`: new work goes to the broker's successor.",
  },

  // A turn did not end well.
  turnFailed: {
    code: -33040,
    retryable: false,
    exit: EXIT.turnFailed,
    hint: "Continue the thread with `codex-broker run --resume THREAD`.",
  },
  turnInterrupted: {
    code: -33041,
    retryable: false,
    exit: EXIT.interrupted,
    hint: "Continue the thread with `codex-broker run --resume THREAD`.",
  },
  timedOut: {
    code: -33042,
    retryable: true,
    exit: EXIT.timedOut,
    hint: "Allow more time with `--timeout`.",
  },
  threadBusy: {
    code: -33043,
    retryable: true,
    exit: EXIT.turnFailed,
    hint: "Wait for the running turn with `codex-broker run --queue`, end it with `turn/interrupt`, or add to it with `turn/steer`.",
  },

  replyUnfit: {
    code: -33044,
    retryable: true,
    exit: EXIT.turnFailed,
    hint: "Ask for it again in its thread with `codex-broker run --resume THREAD`.",
  },
  outputLost: {
    code: -33046,
    retryable: false,
    exit: EXIT.outputLost,
    hint: "Free some space or name another file. Codex keeps the result of a turn: `codex-broker run --resume THREAD`; a job's has `codex-broker jobs result JOB`.",
  },
  importFailed: {
    code: -33045,
    retryable: false,
    exit: EXIT.turnFailed,
    hint: "Read `codex-broker logs` for what Codex said about it.",
  },

  // What one side said to the other was not understood.
  parseError: {
    code: -32700,
    retryable: false,
    exit: EXIT.usage,
    hint: "Send one JSON object a line, in UTF-8.",
  },
  invalidRequest: {
    code: -32600,
    retryable: false,
    exit: EXIT.usage,
    hint: "Send an object with a method and, for a request, an id that is a string or an integer.",
  },
  frameTooLarge: {
    code: -33050,
    retryable: false,
    exit: EXIT.usage,
    hint: "Send less in one message; large inputs belong in a file that the turn reads.",
  },
  notInitialized: {
    code: -33051,
    retryable: false,
    exit: EXIT.usage,
    hint: "Send `initialize` first.",
  },
  invalidAnswer: {
    code: -33052,
    retryable: true,
    exit: EXIT.lost,
    hint: "Read `codex-broker logs`; the other side may be of another version.",
  },
  requestTimedOut: {
    code: -33053,
    retryable: true,
    exit: EXIT.timedOut,
    hint: "See `codex-broker doctor`: the broker or its app-server may be stuck.",
  },
  tooManyRequests: {
    code: -33054,
    retryable: true,
    exit: EXIT.turnFailed,
    hint: "Wait for answers before sending more.",
  },
  tooManySessions: {
    code: -33055,
    retryable: true,
    exit: EXIT.couldNotStart,
    hint: "Close connections that are not used; see `codex-broker status`.",
  },
  tooManyThreads: {
    code: -33056,
    retryable: true,
    exit: EXIT.turnFailed,
    hint: "Leave threads that are not needed with `thread/unsubscribe`; see `codex-broker status`.",
  },
  clientTooSlow: {
    code: -33057,
    retryable: true,
    exit: EXIT.lost,
    hint: "Connect again and read faster, or opt out of notifications that are not needed.",
  },
} as const satisfies Record<string, ErrorFacts>;

/** The closed union of everything that can go wrong on our side. Each has a heading in docs/errors.md. */
export type ErrorKind = keyof typeof facts;

export const ERROR_KINDS = Object.keys(facts) as readonly ErrorKind[];

export function isErrorKind(value: unknown): value is ErrorKind {
  return typeof value === "string" && Object.hasOwn(facts, value);
}

/** Facts that belong to one occurrence: paths, versions, exit codes. They travel as JSON. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

interface BrokerErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
  /** Replaces the kind's own hint where the occurrence knows a better next step. */
  readonly hint?: string;
}

const brand = Symbol.for("codex-broker.error");

/** A failure of this project: what happened, whether to try again, and what to type next. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly hint: string;
  readonly details: ErrorDetails;
  readonly [brand] = true;

  constructor(kind: ErrorKind, message: string, options: BrokerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.retryable = facts[kind].retryable;
    this.hint = options.hint ?? facts[kind].hint;
    this.details = options.details ?? {};
  }

  /** JSON-RPC code under which this failure crosses our wire. */
  get code(): number {
    return facts[this.kind].code;
  }

  get exitCode(): ExitCode {
    return facts[this.kind].exit;
  }

  toJSON(): BrokerErrorJson {
    return {
      kind: this.kind,
      message: this.message,
      retryable: this.retryable,
      hint: this.hint,
      details: this.details,
    };
  }

  /** `instanceof` that also works when two copies of the package are loaded. */
  static is(value: unknown): value is BrokerError {
    return typeof value === "object" && value !== null && brand in value;
  }

  static fromJSON(json: BrokerErrorJson): BrokerError {
    return new BrokerError(json.kind, json.message, { hint: json.hint, details: json.details });
  }
}

/** The same facts, as they stand in an obituary, in `--json` output and in an error's `data`. */
export interface BrokerErrorJson {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly retryable: boolean;
  readonly hint: string;
  readonly details: ErrorDetails;
}

/** Whatever was thrown, as one of ours: foreign errors become `kind` and keep themselves as the cause. */
export function asBrokerError(thrown: unknown, kind: ErrorKind): BrokerError {
  if (BrokerError.is(thrown)) return thrown;
  return new BrokerError(kind, messageOf(thrown), { cause: thrown });
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** A detail of an error as text; empty when it is not one of ours, or has none. */
export function textDetail(error: unknown, name: string): string {
  const value = BrokerError.is(error) ? error.details[name] : undefined;
  return typeof value === "string" ? value : "";
}

/** The `code` of a Node system error (`ENOENT`, …), or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
