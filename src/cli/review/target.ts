import { BrokerError } from "../../base/errors.ts";
import type { v2 } from "../../app-server/generated/index.ts";
import { workspaceOf } from "../../lifecycle/scope.ts";
import { printableLine } from "../output/printable.ts";
import { Git, rejectedByGit } from "./git.ts";

/** What is to be reviewed. */
export type Target =
  /** Staged, unstaged and untracked. */
  | { readonly type: "workingTree"; readonly root: string }
  /** What has come about since `base` and this branch parted, committed or not. */
  | {
      readonly type: "base";
      readonly root: string;
      readonly base: string;
      readonly mergeBase: string;
    }
  | {
      readonly type: "commit";
      readonly root: string;
      readonly commit: string;
      /** Its first line. */
      readonly title: string;
    };

/** @throws BrokerError `notReviewable`, or `usage` when both are wanted. */
export async function resolveTarget(
  directory: string,
  { base, commit }: { readonly base: string | undefined; readonly commit: string | undefined },
): Promise<Target> {
  if (base !== undefined && commit !== undefined) {
    throw new BrokerError("usage", "--base and --commit do not go together.", {
      hint: "Leave one of the two out.",
    });
  }
  const git = await repositoryOf(directory);
  const root = git.directory;
  if (commit !== undefined) {
    const sha = await commitOf(git, commit);
    const title = await git.line(["show", "--no-patch", "--no-show-signature", "--format=%s", sha]);
    return { type: "commit", root, commit: sha, title: title ?? "" };
  }
  if (base === undefined) return { type: "workingTree", root };
  const mergeBase = await git.line(["merge-base", await commitOf(git, base), "HEAD"]);
  if (mergeBase !== undefined) return { type: "base", root, base, mergeBase };
  throw new BrokerError("notReviewable", `${base} and HEAD have no commit in common.`, {
    hint: "Name another base with `--base REF`.",
  });
}

/**
 * Opens the repository at the top level of the workspace. Git would find another one from a directory
 * below: one that is embedded in the clone, with a config of its own.
 */
async function repositoryOf(directory: string): Promise<Git> {
  const workspace = workspaceOf(directory);
  const git = await Git.open(workspace);
  let output = "";
  const args = ["rev-parse", "--show-toplevel"];
  const { code, stderr } = await git.run(args, (piece) => (output += piece));
  if (code !== 0) {
    if (!stderr.includes("not a git repository")) throw rejectedByGit(stderr);
    throw new BrokerError("notReviewable", `${directory} lies in no git repository.`, {
      hint: "Go to a repository, or name one with `--cwd DIR`.",
    });
  }
  const top = output.replace(/\r?\n$/, "");
  if (workspaceOf(top) === workspace) return git;
  throw new BrokerError(
    "notReviewable",
    `The git configuration of ${workspace} names another working tree: ${printableLine(top)}.`,
    { hint: "Look at `core.worktree` in the repository's config." },
  );
}

/** Its whole name, so that nothing in it can be taken for anything else. */
async function commitOf(git: Git, name: string): Promise<string> {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`];
  const sha = await git.line(args);
  if (sha !== undefined && sha !== "") return sha;
  throw new BrokerError("notReviewable", `There is no commit ${JSON.stringify(name)} here.`, {
    hint: "`git branch --all` and `git log` show what there is.",
  });
}

/** The same in Codex's words, for its own reviewer. */
export function codexTarget(target: Target): v2.ReviewTarget {
  switch (target.type) {
    case "workingTree":
      return { type: "uncommittedChanges" };
    case "base":
      return { type: "baseBranch", branch: target.base };
    case "commit":
      return { type: "commit", sha: target.commit, title: target.title };
  }
}

/** In a few words, for people. */
export function targetLabel(target: Target): string {
  switch (target.type) {
    case "workingTree":
      return "the working tree";
    case "base":
      return `the changes since ${target.base}`;
    case "commit":
      return `commit ${target.commit.slice(0, 10)} (${printableLine(target.title)})`;
  }
}
