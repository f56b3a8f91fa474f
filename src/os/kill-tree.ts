import { readStat, type ProcStat } from "./proc-stat.ts";
import { familyOf, listProcesses } from "./process-tree.ts";
import { identityOf, livenessOf, type ProcessIdentity } from "./process-identity.ts";
import { killProven, type KillOutcome } from "./verified-kill.ts";

/**
 * Ends a process and all that descends from it, each of them proven: descendants lead sessions and
 * groups of their own and would survive it. They are taken down before, because afterwards nothing
 * leads to them.
 */
export function killTreeProven(root: ProcessIdentity): KillOutcome {
  const stat = livenessOf(root) === "alive" ? readStat(root.pid) : undefined;
  const descendants = stat === undefined ? [] : descendantsOf(stat);
  const outcome = killProven(root, "SIGKILL");
  if (outcome === "signalled") {
    for (const each of descendants) {
      killProven({ ...identityOf(each.pid), startTime: each.startTicks }, "SIGKILL");
    }
  }
  return outcome;
}

function descendantsOf(root: ProcStat): readonly ProcStat[] {
  return familyOf([root], new Set([root.session]), listProcesses() ?? []).filter(
    ({ pid }) => pid !== root.pid && pid !== process.pid,
  );
}
