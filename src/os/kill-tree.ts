import type { ProcessEntry } from "./kernel/kernel.ts";
import { familyOf, listProcesses, readProcess } from "./process-tree.ts";
import { identityIn, livenessOf, type ProcessIdentity } from "./process-identity.ts";
import { killProven, type KillOutcome } from "./verified-kill.ts";

/**
 * Ends a process and all that descends from it, each of them proven: descendants lead sessions and
 * groups of their own and would survive it. They are taken down before, because afterwards nothing
 * leads to them.
 */
export function killTreeProven(root: ProcessIdentity): KillOutcome {
  const descendants = provenDescendants(root);
  const outcome = killProven(root, "SIGKILL");
  if (outcome === "signalled") {
    for (const each of descendants) {
      killProven(identityIn(each), "SIGKILL");
    }
  }
  return outcome;
}

/** Those of the very process that the identity names; none when it does not run any more. */
export function provenDescendants(root: ProcessIdentity): readonly ProcessEntry[] {
  const entry = livenessOf(root) === "alive" ? readProcess(root.pid) : undefined;
  return entry === undefined ? [] : descendantsOf(entry);
}

function descendantsOf(root: ProcessEntry): readonly ProcessEntry[] {
  return familyOf([root], new Set([root.session]), listProcesses() ?? []).filter(
    ({ pid }) => pid !== root.pid && pid !== process.pid,
  );
}
