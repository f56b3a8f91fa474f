import { BrokerError } from "../../base/errors.ts";
import { workspaceOf } from "../../lifecycle/scope.ts";
import { Git } from "../review/git.ts";

const SCOPES = ["auto", "working-tree", "branch"];
const USUAL_NAMES = ["main", "master", "trunk"];

/**
 * What a review looks at when nobody has named it: what is not committed yet, or else what this branch
 * adds to the default one.
 *
 * @returns options for `review`.
 * @throws BrokerError `usage` for another scope, or where there is no default branch to compare with.
 */
export async function scopeOptions(scope: string, directory: string): Promise<readonly string[]> {
  if (!SCOPES.includes(scope)) {
    throw new BrokerError("usage", `--scope takes ${SCOPES.join(" or ")}, not ${scope}.`);
  }
  if (scope === "working-tree") return [];
  const git = await Git.open(workspaceOf(directory));
  const status = ["status", "--porcelain", "--ignore-submodules=dirty"];
  if (scope === "auto" && (await git.line(status)) !== "") return [];
  const base = await defaultBranch(git);
  if (base !== undefined) return [`--base=${base}`];
  if (scope === "auto") return [];
  throw new BrokerError("usage", "Which branch this one is to be compared with is not known.", {
    hint: "Name it with `--base REF`.",
  });
}

async function defaultBranch(git: Git): Promise<string | undefined> {
  const remote = ["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"];
  const named = await git.line(remote);
  if (named !== undefined && named !== "") return named;
  for (const name of USUAL_NAMES) {
    const ref = ["rev-parse", "--verify", "--quiet", `refs/heads/${name}`];
    if ((await git.line(ref)) !== undefined) return name;
  }
  return undefined;
}
