import { EXIT, type ExitCode } from "../../base/errors.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import type { Seen } from "../../lifecycle/ensure.ts";
import { askStatus, lookForBroker, windingDown } from "../broker/ask.ts";
import { statusLines } from "../broker/status-view.ts";
import { wantedScope } from "../broker/wanted.ts";
import type { statusOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";

export async function execute(given: Given<typeof statusOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const { seen, link } = await lookForBroker(scope, "status");
  if (link === undefined) reportAbsence(scope, seen, given.has("json"));
  else {
    const status = await askStatus(link.connection);
    link.connection.close();
    const { verdict, reason } = seen.verdict;
    if (given.has("json")) out.json({ ...status, verdict, reason });
    else {
      const usable = verdict === "usable" || verdict === "starting";
      const remark = usable ? {} : { remark: `${reason}; the next client gets a new broker` };
      const stateDirChosen = stateDirectory().overridden;
      for (const line of statusLines(status, { stateDirChosen, ...remark }, out)) out.line(line);
    }
  }
  return EXIT.ok;
}

function reportAbsence(scope: Scope, seen: Seen, json: boolean): void {
  const { key, workspace, stateDir } = scope;
  const { state, reason } = whatThereIs(seen);
  if (json)
    return out.json({
      state,
      verdict: seen.verdict.verdict,
      reason,
      scope: key,
      workspace,
      stateDir,
    });
  const dot =
    state === "absent" ? out.paint("dim", "○ no broker") : out.paint("yellow", `● ${state}`);
  out.line(`${dot}  ${out.paint("bold", printableLine(workspace))}`);
  out.line(`  ${printableLine(reason)}`);
  if (stateDirectory().overridden) {
    out.line(
      `  ${out.paint("dim", `state in ${printableLine(stateDir)}, chosen by CODEX_BROKER_STATE_DIR`)}`,
    );
  }
  if (state === "absent") out.line(out.paint("dim", "  → codex-broker ensure"));
}

/** Nobody answers for the scope: is somebody there all the same? */
function whatThereIs(seen: Seen): { readonly state: string; readonly reason: string } {
  const { verdict, reason } = seen.verdict;
  const ending = windingDown(seen);
  if (ending !== undefined) {
    const { epoch, broker } = ending;
    return {
      state: "draining",
      reason: `process ${broker.pid} of epoch ${epoch} takes no new work and ends when its turns have`,
    };
  }
  return {
    state: verdict === "starting" || verdict === "unresponsive" ? verdict : "absent",
    reason,
  };
}
