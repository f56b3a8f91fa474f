import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A repository of a test, with nothing of the user's configuration in it. */
export interface GitRepository {
  readonly path: string;
  /** What git prints, without the last line feed. */
  git(...args: readonly string[]): string;
  write(file: string, text: string): void;
  /** Puts empty files of these names into the index alone, any number of them in no time. */
  stage(names: readonly string[]): void;
  /** Adds everything that is there. @returns the name of the commit. */
  commit(message: string): string;
}

const ENVIRONMENT = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };

export function makeRepository(path: string): GitRepository {
  mkdirSync(path, { recursive: true });
  const gitWith = (input: string, args: readonly string[]): string =>
    execFileSync("git", args, {
      cwd: path,
      env: { ...process.env, ...ENVIRONMENT },
      encoding: "utf8",
      stdio: "pipe",
      input,
    }).replace(/\n$/, "");
  const git = (...args: readonly string[]): string => gitWith("", args);
  git("init", "--quiet", "--initial-branch=main");
  git("config", "user.name", "Test");
  git("config", "user.email", "test@example.com");
  return {
    path,
    git,
    write: (file, text) => {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    },
    stage: (names) => {
      const blob = gitWith("", ["hash-object", "-w", "--stdin"]);
      const entries = names.map((name) => `100644 blob ${blob}\t${name}\0`);
      gitWith(entries.join(""), ["update-index", "-z", "--index-info"]);
    },
    commit: (message) => {
      git("add", "--all");
      git("commit", "--quiet", "--message", message);
      return git("rev-parse", "HEAD");
    },
  };
}
