import { counted } from "../output/amounts.ts";
import { DIFF_ARGS } from "./git-hardening.ts";
import { Git } from "./git.ts";
import type { Target } from "./target.ts";

/** As many as help to find one's way; whoever needs the others asks git. */
const MOST_NAMED = 200;
const MOST_CHARACTERS = 12_000;

/** The files that a review is about. */
export interface Changes {
  readonly count: number;
  /** The first of them, each with what happened to it: `M src/a.ts`, `?? new.ts`. */
  readonly named: readonly string[];
  /** How many new files are left out: git knows them only in the working tree, so no base or commit has them. */
  readonly untracked: number;
}

/** @throws BrokerError `notReviewable` with git's own words. */
export async function changesOf(target: Target): Promise<Changes> {
  const list = new ChangeList();
  const git = await Git.open(target.root);
  switch (target.type) {
    case "workingTree":
      await readStatus(git, list);
      break;
    case "base":
      await readNames(git, ["diff", ...NAMES, target.mergeBase, "--"], list);
      await git.records(["ls-files", "--others", "--exclude-standard", "-z"], () => {
        list.untracked += 1;
      });
      break;
    case "commit":
      // Of a merge, what it brought to the branch that it was made on.
      await readNames(
        git,
        ["show", "--format=", "-m", "--first-parent", ...NAMES, target.commit, "--"],
        list,
      );
      break;
  }
  return list;
}

/** Says how many new files a review does not cover: `1 untracked file left out`. */
export function leftOut(untracked: number): string {
  return `${counted(untracked, "untracked file")} left out`;
}

const NAMES = ["--name-status", "-z", "--no-renames", ...DIFF_ARGS];

class ChangeList implements Changes {
  count = 0;
  untracked = 0;
  readonly named: string[] = [];
  #characters = 0;

  add(what: string, file: string): void {
    this.count += 1;
    const entry = `${what} ${JSON.stringify(file).slice(1, -1)}`;
    this.#characters += entry.length;
    if (this.named.length < MOST_NAMED && this.#characters <= MOST_CHARACTERS) {
      this.named.push(entry);
    }
  }
}

/** `XY name`, and after a rename one more record with the former name. */
async function readStatus(git: Git, list: ChangeList): Promise<void> {
  let formerNameFollows = false;
  const args = [
    "status",
    "--porcelain=v1",
    "-z",
    "--untracked-files=all",
    "--ignore-submodules=dirty",
  ];
  await git.records(args, (record) => {
    if (formerNameFollows) {
      formerNameFollows = false;
      return;
    }
    const what = record.slice(0, 2);
    formerNameFollows = /[RC]/.test(what);
    list.add(what.trim(), record.slice(3));
  });
}

/** The letter of what happened, then the name. */
async function readNames(git: Git, args: readonly string[], list: ChangeList): Promise<void> {
  let what: string | undefined;
  await git.records(args, (record) => {
    if (what === undefined) {
      what = record.trim();
      return;
    }
    list.add(what, record);
    what = undefined;
  });
}
