import { EXIT, type ExitCode } from "../../base/errors.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import { olderBrokers } from "../../lifecycle/older-brokers.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import type { Seen } from "../../lifecycle/look.ts";
import {
  absenceReason,
  livingSiblings,
  siblingJson,
  siblingLine,
} from "../workspace/siblings-view.ts";
import { askRecorded, askStatus, lookForBroker, windingDown } from "../workspace/ask.ts";
import { statusLines, type OlderBroker, type ViewOptions } from "../workspace/status-view.ts";
import { wantedScope } from "../workspace/wanted.ts";
import type { statusOptions } from "../quick-commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";

export async function execute(given: Given<typeof statusOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const [{ seen, link }, siblings] = await Promise.all([
    lookForBroker(scope, "status"),
    livingSiblings(scope, "status"),
  ]);
  if (link === undefined) {
    const found = absenceOf(scope, seen);
    const absence = { ...found, reason: absenceReason(found.reason, siblings) };
    if (given.has("json")) out.json({ ...absence, siblings: siblings.map(siblingJson) });
    else for (const line of absenceLines(absence, siblings.map(siblingLine))) out.line(line);
    return EXIT.ok;
  }
  const status = await askStatus(link.connection);
  link.connection.close();
  const older = await olderOnes(scope, status.epoch);
  const { verdict, reason } = seen.verdict;
  if (given.has("json")) {
    out.json({ ...status, verdict, reason, older, siblings: siblings.map(siblingJson) });
  } else {
    const options = { ...viewOptions(seen), older, siblings: siblings.map(siblingLine) };
    for (const line of statusLines(status, options, out)) out.line(line);
  }
  return EXIT.ok;
}

/** Brokers that were superseded and have not ended yet, as they report themselves. */
async function olderOnes(scope: Scope, below: number): Promise<OlderBroker[]> {
  return await Promise.all(
    olderBrokers(scope.directory, below).map(async (record) => {
      const status = await askRecorded(record, "status");
      const { epoch, broker } = record;
      return {
        epoch,
        pid: broker.pid,
        state: status?.state ?? "silent",
        turns: status?.turns ?? null,
      };
    }),
  );
}

function viewOptions({ verdict }: Seen): Omit<ViewOptions, "older" | "siblings"> {
  const { overridden: stateDirChosen } = stateDirectory();
  if (verdict.step === "use") return { stateDirChosen };
  return { stateDirChosen, remark: `${verdict.reason}; the next client gets a new broker` };
}

/** Nobody answers for the scope. The order of the fields is that of the output. */
interface Absence {
  readonly state: "absent" | "starting" | "unresponsive" | "stopping";
  readonly verdict: string;
  readonly reason: string;
  readonly scope: string;
  readonly workspace: string;
  readonly stateDir: string;
}

function absenceOf({ key, workspace, stateDir }: Scope, seen: Seen): Absence {
  const { verdict, reason } = seen.verdict;
  const place = { scope: key, workspace, stateDir };
  const ending = windingDown(seen);
  if (ending !== undefined) {
    const reason = `process ${ending.broker.pid} of epoch ${ending.epoch} is about to end`;
    return { state: "stopping", verdict, reason, ...place };
  }
  const there = verdict === "starting" || verdict === "unresponsive";
  return { state: there ? verdict : "absent", verdict, reason, ...place };
}

/** One that starts needs nothing but a moment. */
const NEXT: Readonly<Partial<Record<Absence["state"], string>>> = {
  absent: "codex-broker ensure",
  unresponsive: "codex-broker doctor",
  stopping: "codex-broker doctor, should it not be gone in a moment",
};

function* absenceLines(
  { state, reason, workspace, stateDir }: Absence,
  siblings: readonly string[],
): Generator<string> {
  const dot =
    state === "absent" ? out.paint("dim", "○ no broker") : out.paint("yellow", `● ${state}`);
  yield `${dot}  ${out.paint("bold", printableLine(workspace))}`;
  yield `  ${printableLine(reason)}`;
  if (stateDirectory().overridden) {
    const where = `state in ${printableLine(stateDir)}, chosen by CODEX_BROKER_STATE_DIR`;
    yield out.paint("dim", `  ${where}`);
  }
  for (const sibling of siblings) yield `  another broker serves this workspace: ${sibling}`;
  const next = NEXT[state];
  if (next !== undefined) yield out.paint("dim", `  → ${next}`);
}
