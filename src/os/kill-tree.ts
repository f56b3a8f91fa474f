import type { ProcessEntry } from "./kernel/kernel.ts";
import { familyOf, familyOfIdentities, listProcesses, readProcess } from "./process-tree.ts";
import { identityIn, livenessOf, type ProcessIdentity } from "./process-identity.ts";
import { killProven, type KillOutcome } from "./verified-kill.ts";

/**
 * Ends a process and all that descends from it, each of them proven: descendants lead sessions and
 * groups of their own and would survive it. They are taken down before, because afterwards nothing
 * leads to them.
 *
 * @param others processes that are spared, and all that descends from them.
 */
export function killTreeProven(
  root: ProcessIdentity,
  others: readonly ProcessIdentity[] = [],
): KillOutcome {
  const descendants = provenDescendants(root, others);
  const outcome = killProven(root, "SIGKILL");
  if (outcome === "signalled") {
    for (const each of descendants) {
      killProven(identityIn(each), "SIGKILL");
    }
  }
  return outcome;
}

/** Those of the very process that the identity names; none when it does not run any more. */
export function provenDescendants(
  root: ProcessIdentity,
  others: readonly ProcessIdentity[] = [],
): readonly ProcessEntry[] {
  const entry = livenessOf(root) === "alive" ? readProcess(root.pid) : undefined;
  return entry === undefined ? [] : descendantsOf(entry, others);
}

function descendantsOf(
  root: ProcessEntry,
  others: readonly ProcessIdentity[],
): readonly ProcessEntry[] {
  const all = listProcesses() ?? [];
  const spared = familyOfIdentities(others, all);
  return familyOf([root], new Set([root.session]), all).filter(
    ({ pid }) => pid !== root.pid && pid !== process.pid && !spared.has(pid),
  );
}
