import { spawn } from "node:child_process";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { BrokerError, errnoOf, messageOf } from "../../base/errors.ts";
import { printableLine } from "../output/printable.ts";

/** Looking must not change anything, and must start nothing that a repository's configuration names. */
const LOOK_ONLY = ["--no-optional-locks", "-c", "core.fsmonitor=false"];
const ENVIRONMENT = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_LAZY_FETCH: "1",
  LC_ALL: "C",
  // Codex, which looks at the same, does not have those of a git hook.
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
};

/** For the largest of trees on a slow disk. */
const ENDS_WITHIN_MS = 60_000;
const KEPT_OF_STDERR = 4_000;

interface Ended {
  readonly code: number | null;
  /** Its beginning. */
  readonly stderr: string;
}

/**
 * Runs git and hands on what it prints, piece by piece: however much that is, none of it is kept here.
 *
 * @throws BrokerError `notReviewable` when git cannot be started or does not end.
 */
export async function runGit(
  directory: string,
  args: readonly string[],
  onOutput: (piece: string) => void,
): Promise<Ended> {
  const child = spawn("git", [...LOOK_ONLY, ...args], {
    cwd: directory,
    env: { ...process.env, ...ENVIRONMENT },
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", onOutput);
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr = (stderr + piece).slice(0, KEPT_OF_STDERR);
  });
  const closed = deferred<number | null>();
  child.once("error", closed.reject);
  child.once("close", closed.resolve);
  try {
    const tooLong = (): Error => new Error(`it has not ended within ${ENDS_WITHIN_MS / 1_000} s`);
    return { code: await Deadline.after(ENDS_WITHIN_MS).race(closed.promise, tooLong), stderr };
  } catch (error) {
    closed.promise.catch(() => {});
    child.kill("SIGKILL");
    throw cannotRun(args, error);
  }
}

function cannotRun([command = ""]: readonly string[], cause: unknown): BrokerError {
  const missing = errnoOf(cause) === "ENOENT";
  const why = missing ? "git was not found" : `\`git ${command}\`: ${messageOf(cause)}`;
  return new BrokerError("notReviewable", `git cannot be asked: ${why}.`, {
    cause,
    ...(missing ? { hint: "Install git; reviews ask it what has changed." } : {}),
  });
}

/** The first line that git prints; undefined when it ends with a failure. */
export async function gitLine(
  directory: string,
  args: readonly string[],
): Promise<string | undefined> {
  let output = "";
  const { code } = await runGit(directory, args, (piece) => {
    if (!output.includes("\n")) output += piece;
  });
  return code === 0 ? output.split("\n", 1)[0] : undefined;
}

/**
 * What git prints with `-z`, record by record.
 *
 * @throws BrokerError `notReviewable` with git's own words.
 */
export async function gitRecords(
  directory: string,
  args: readonly string[],
  onRecord: (record: string) => void,
): Promise<void> {
  let rest = "";
  const { code, stderr } = await runGit(directory, args, (piece) => {
    const records = (rest + piece).split("\0");
    rest = records.pop() ?? "";
    for (const record of records) onRecord(record);
  });
  if (code !== 0) throw refusedByGit(stderr);
}

export function refusedByGit(stderr: string): BrokerError {
  const words = printableLine(stderr.replace(/^(fatal|error): /, "")).replace(/\.$/, "");
  return new BrokerError("notReviewable", `git says: ${words === "" ? "nothing" : words}.`);
}
