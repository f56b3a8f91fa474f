import { BrokerError, errnoOf, type ErrorKind } from "../base/errors.ts";
import { systemLimitOf } from "../base/system-limit.ts";
import type { AppServerExit } from "./child.ts";

export { codexVersionFrom, requireSupported } from "./codex-version.ts";

export interface StartFailureFacts {
  readonly codex: string;
  readonly exit: AppServerExit;
  readonly version?: string | null;
  /** Whether the system tells of processes at all, where it should. Default: yes. */
  readonly hasProc?: boolean;
}

interface Diagnosis {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint?: string;
}

const HOME_UNUSABLE = /^Error: (CODEX_HOME points to .+, but that path .+)$/m;

/** What Rust adds below an error, and what tells nobody anything. */
const BACKTRACE = /\n(?:Stack backtrace:|stack backtrace:|note: run with)/;

/** EMFILE and ENFILE, as Rust and its C libraries report them. */
const OUT_OF_DESCRIPTORS = /^.*\(os error 2[34]\)$/m;

/** Rust's exit code after a panic. */
const PANIC = 101;

/** SQLite's words for a lock that another process held for longer than Codex waits (15 s). */
const LOCKED = /\bdatabase (?:table |schema )?is locked\b/;

/** Whether a start failed on a state database that another process held at that moment. */
export function isStateDatabaseLocked(stderr: string): boolean {
  return LOCKED.test(stderr);
}

/**
 * Why an app-server could not be started, from the way in which it ended before it answered
 * `initialize`. Ending with code 0 is a failure too: nobody had asked it to.
 */
export function startFailure({
  codex,
  exit,
  version,
  hasProc = true,
}: StartFailureFacts): BrokerError {
  const { kind, message, hint } = diagnose(codex, exit, hasProc);
  return new BrokerError(kind, message, {
    cause: exit.spawnError,
    details: {
      codex,
      version: version ?? null,
      code: exit.code,
      signal: exit.signal,
      stderrTail: exit.stderrTail,
      ...(isStateDatabaseLocked(exit.stderrTail) ? { stateDatabaseLocked: true } : {}),
    },
    ...(hint === undefined ? {} : { hint }),
  });
}

function diagnose(codex: string, exit: AppServerExit, hasProc: boolean): Diagnosis {
  const { code, signal, spawnError, stderrTail } = exit;
  if (spawnError !== undefined) return notSpawned(codex, spawnError);

  const [, homeUnusable] = HOME_UNUSABLE.exec(stderrTail) ?? [];
  if (homeUnusable !== undefined) {
    return { kind: "codexHomeMissing", message: `${codex} did not start: ${homeUnusable}.` };
  }
  if (code === PANIC && stderrTail.includes("SCDynamicStore")) {
    return {
      kind: "sandboxDenied",
      message: `${codex} did not start: a sandbox keeps it from the macOS system configuration.`,
    };
  }
  if (code === 2 && /unrecognized subcommand/.test(stderrTail)) {
    return { kind: "codexTooOld", message: `${codex} is too old: it has no app-server.` };
  }
  if (!hasProc) {
    return {
      kind: "sandboxDenied",
      message: `${codex} did not start: there is no /proc here, which it needs.`,
      hint: "Run `codex-broker ensure` outside the sandbox: its broker serves this place too.",
    };
  }
  const how = signal === null ? `exited with code ${code ?? "unknown"}` : `was ended by ${signal}`;
  if (isStateDatabaseLocked(stderrTail)) {
    return {
      kind: "appServerStartFailed",
      message: `${codex} ${how}: another process holds its state database.`,
      hint: "Try again in a moment; if it stays so, end the other Codex that uses the same CODEX_HOME.",
    };
  }
  const limit = OUT_OF_DESCRIPTORS.exec(stderrTail)?.[0];
  if (limit !== undefined) {
    return { kind: "systemLimit", message: `${codex} ${how} before it answered: ${limit}.` };
  }
  const last = stderrTail.split(BACKTRACE)[0]?.split("\n").at(-1) ?? "";
  return {
    kind: "appServerStartFailed",
    message: `${codex} ${how} before it answered${last === "" ? "" : `: ${last}`}`,
  };
}

/** The program that is missing may also be the interpreter of a script, or the directory to start in. */
const NOT_STARTABLE: Readonly<Record<string, string>> = {
  ENOENT:
    "it, the interpreter that its first line names, or the directory to start it in is missing",
  EACCES: "it is not executable, or its directory is not accessible",
  EPERM: "the system does not permit it",
  EINVAL: "it is a script that only a shell could run",
  ENOEXEC: "it is not a program for this system",
  ENOTDIR: "a part of its path is not a directory",
  ELOOP: "its path has too many symbolic links",
  UNKNOWN: "it is not a program for this system",
};

function notSpawned(codex: string, error: Error): Diagnosis {
  const errno = errnoOf(error) ?? "";
  const why = NOT_STARTABLE[errno];
  if (why !== undefined) {
    return { kind: "codexUnusable", message: `${codex} could not be started (${errno}): ${why}.` };
  }
  const limit = systemLimitOf(error);
  if (limit !== undefined) {
    return { kind: limit.kind, message: `${codex} could not be started. ${limit.message}` };
  }
  return {
    kind: "appServerStartFailed",
    message: `${codex} could not be started: ${error.message}.`,
  };
}
