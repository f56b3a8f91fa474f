import { spawn } from "node:child_process";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { BrokerError, errnoOf, messageOf } from "../../base/errors.ts";
import { printableLine } from "../output/printable.ts";
import {
  GIT_ARGS,
  gitEnvironment,
  LIST_CONFIG,
  parseConfig,
  programOverrides,
} from "./git-hardening.ts";

/** For the largest of trees on a slow disk. */
const GIT_TIMEOUT_MS = 60_000;
const MAX_STDERR_CHARACTERS = 4_000;

export interface GitExit {
  readonly code: number | null;
  /** Its first part. */
  readonly stderr: string;
}

/** Reads a repository with git, without starting a program that the repository names (F167). */
export class Git {
  readonly directory: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.directory = directory;
    this.#env = env;
  }

  /**
   * Reads the config that holds in the directory. That read starts no program.
   *
   * @throws BrokerError `notReviewable` when git cannot be started, does not end, or cannot list its config.
   */
  static async open(directory: string): Promise<Git> {
    const reader = new Git(directory, gitEnvironment(process.env));
    let output = "";
    const { code, stderr } = await reader.run(LIST_CONFIG, (piece) => (output += piece));
    if (code !== 0) throw rejectedByGit(stderr);
    return new Git(directory, gitEnvironment(process.env, programOverrides(parseConfig(output))));
  }

  /**
   * Runs git and passes its output on piece by piece, without keeping any of it (F99).
   *
   * @throws BrokerError `notReviewable` when git cannot be started or does not end.
   */
  async run(args: readonly string[], onOutput: (piece: string) => void): Promise<GitExit> {
    const child = spawn("git", [...GIT_ARGS, ...args], {
      cwd: this.directory,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", onOutput);
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      stderr = (stderr + piece).slice(0, MAX_STDERR_CHARACTERS);
    });
    const closed = deferred<number | null>();
    child.once("error", closed.reject);
    child.once("close", closed.resolve);
    try {
      const timedOut = (): Error => new Error(`it did not end within ${GIT_TIMEOUT_MS / 1_000} s`);
      return { code: await Deadline.after(GIT_TIMEOUT_MS).race(closed.promise, timedOut), stderr };
    } catch (error) {
      closed.promise.catch(() => {});
      child.kill("SIGKILL");
      throw cannotRun(args, error);
    }
  }

  /** Returns the first line that git prints; undefined when git ends with a failure. */
  async line(args: readonly string[]): Promise<string | undefined> {
    let output = "";
    const { code } = await this.run(args, (piece) => {
      if (!output.includes("\n")) output += piece;
    });
    return code === 0 ? output.split("\n", 1)[0] : undefined;
  }

  /**
   * Passes on what git prints with `-z`, record by record.
   *
   * @throws BrokerError `notReviewable` with git's own message.
   */
  async records(args: readonly string[], onRecord: (record: string) => void): Promise<void> {
    let rest = "";
    const { code, stderr } = await this.run(args, (piece) => {
      const records = (rest + piece).split("\0");
      rest = records.pop() ?? "";
      for (const record of records) onRecord(record);
    });
    if (code !== 0) throw rejectedByGit(stderr);
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

export function rejectedByGit(stderr: string): BrokerError {
  const words = printableLine(stderr.replace(/^(fatal|error): /, "")).replace(/\.$/, "");
  return new BrokerError("notReviewable", `git says: ${words === "" ? "nothing" : words}.`);
}
