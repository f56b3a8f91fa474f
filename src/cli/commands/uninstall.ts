import { existsSync } from "node:fs";
import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { listScopes, takeCensus, type ScopeCensus } from "../../lifecycle/census.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import { formatDirectory, stateDirectory } from "../../lifecycle/state-directory.ts";
import { dangerOf } from "../../os/private-directory.ts";
import type { BrokerState } from "../../wire/broker-protocol.ts";
import type { uninstallOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { counted } from "../output/amounts.ts";
import { err, out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { SETTINGS_FILE, settingsDirectory } from "../host/workspace-settings.ts";
import { Clearance } from "../uninstall/clearance.ts";
import { clearScope } from "../uninstall/clear-scope.ts";
import { clearSockets } from "../uninstall/clear-sockets.ts";
import { askRecorded } from "../workspace/ask.ts";
import { sayFarewell, type Parted } from "../workspace/farewell.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
/** Longer than a forced end takes. */
const FORCED_END_MS = 30_000;

export async function execute(given: Given<typeof uninstallOptions>): Promise<ExitCode> {
  const stateDir = stateDirectory().path;
  const isThere = existsSync(stateDir);
  if (isThere) requireOurs(stateDir);
  const census = isThere ? takeCensus(stateDir) : [];
  if (!given.has("yes")) return await tellPlan(stateDir, isThere, census, given);

  const parted = await end(census, given.seconds("timeout") ?? DEFAULT_TIMEOUT_MS);
  const clearance = new Clearance();
  if (isThere) await clear(stateDir, clearance);
  const unfinished = parted.filter(({ state }) => state !== "stopped");
  const { removed, kept } = clearance;
  if (given.has("json")) {
    out.json({ state: "done", stateDir, brokers: parted.map(brokerJson), removed, kept });
  } else {
    tellDone(stateDir, parted, clearance);
  }
  return unfinished.length === 0 ? EXIT.ok : EXIT.timedOut;
}

function requireOurs(stateDir: string): void {
  const danger = dangerOf(stateDir);
  if (danger === undefined) return;
  throw new BrokerError(
    "stateDirUnsafe",
    `${stateDir} ${danger.why}, so nothing in it is touched.`,
    {
      details: { path: stateDir },
    },
  );
}

async function tellPlan(
  stateDir: string,
  isThere: boolean,
  census: readonly ScopeCensus[],
  given: Given<typeof uninstallOptions>,
): Promise<ExitCode> {
  const records = census.flatMap((scope) => scope.brokers.map(({ record }) => record));
  const brokers = await Promise.all(records.map(planned));
  if (given.has("json")) {
    out.json({
      state: isThere ? "planned" : "absent",
      stateDir,
      brokers: brokers.map(brokerJson),
      removed: [],
      kept: [],
    });
  } else if (isThere) {
    for (const { record, state, turns } of brokers) {
      const { workspace, epoch, broker } = record;
      const work = turns === null ? state : `runs ${counted(turns, "turn")}`;
      const facts = `epoch ${epoch} · process ${broker.pid} · ${work}`;
      out.line(`would end  ${printableLine(workspace)}  ${facts}`);
    }
    out.line(
      `would remove  ${stateDir}  what brokers of ${counted(census.length, "scope")} have left`,
    );
    out.line(out.paint("dim", "  → codex-broker uninstall --yes"));
  } else {
    out.line(`nothing is left: there is no ${stateDir}`);
  }
  return EXIT.ok;
}

/** A broker that would be ended. */
interface Planned {
  readonly record: ServingRecord;
  readonly state: BrokerState | "silent";
  /** Null where it does not answer. */
  readonly turns: number | null;
}

async function planned(record: ServingRecord): Promise<Planned> {
  const status = await askRecorded(record, "uninstall");
  return { record, state: status?.state ?? "silent", turns: status?.turns.length ?? null };
}

/** Turns get their time first; what then still runs is interrupted. Nobody is signalled. */
async function end(census: readonly ScopeCensus[], timeoutMs: number): Promise<Parted[]> {
  const parted = await sayFarewell(census, {
    force: false,
    deadline: Deadline.after(timeoutMs),
    onTurns: ({ epoch, workspace }, turns) => {
      const words = `epoch ${epoch} of ${printableLine(workspace)} finishes ${counted(turns, "turn")}`;
      err.line(err.paint("dim", `${words}; they are interrupted after ${timeoutMs / 1_000} s`));
    },
  });
  const slow = parted.filter(({ state }) => state === "draining");
  if (slow.length === 0) return parted;
  const forced = await sayFarewell(
    census.filter(({ key }) => slow.some(({ scope }) => scope === key)),
    { force: true, deadline: Deadline.after(FORCED_END_MS), onTurns: () => {} },
  );
  const last = new Map(forced.map((each) => [each.record.instance, each]));
  // One that has ended between the two is not asked again.
  return parted.map((each) =>
    slow.includes(each) ? (last.get(each.record.instance) ?? { ...each, state: "stopped" }) : each,
  );
}

async function clear(stateDir: string, clearance: Clearance): Promise<void> {
  // Read anew: somebody may have started a broker in a workspace that had none.
  const scopes = listScopes(stateDir);
  for (const { directory } of scopes) await clearScope(directory, clearance);
  await clearSockets(
    stateDir,
    scopes.map(({ key }) => key),
    clearance,
  );
  clearance.files(settingsDirectory(stateDir), SETTINGS_FILE);
  for (const directory of [formatDirectory(stateDir), stateDir]) clearance.directory(directory);
}

function brokerJson({ record, state, turns }: Parted | Planned): object {
  const { workspace, epoch, broker } = record;
  return { state, workspace, epoch, pid: broker.pid, turns };
}

function tellDone(stateDir: string, parted: readonly Parted[], { removed, kept }: Clearance): void {
  for (const { record, state } of parted) {
    const facts = `epoch ${record.epoch} · process ${record.broker.pid}`;
    out.line(`${state}  ${printableLine(record.workspace)}${out.paint("dim", `  ${facts}`)}`);
  }
  for (const { path: where, why } of kept) {
    out.line(`${out.paint("yellow", symbols.warning)} kept  ${printableLine(where)}`);
    out.line(out.paint("dim", `  ${printableLine(why)}`));
  }
  const what = `${counted(removed.length, "file")}, directories among them`;
  out.line(
    kept.length === 0 ? `removed  ${stateDir}  ${what}; nothing is left` : `removed  ${what}`,
  );
  out.line(out.paint("dim", "  → npm uninstall -g codex-broker removes the program itself"));
}
