import { EXIT, type ExitCode } from "../../base/errors.ts";
import { rssOf, type Usage } from "../../base/usage.ts";
import { takeCensus, type Counted, type ScopeCensus } from "../../lifecycle/census.ts";
import type { EndedRecord } from "../../lifecycle/epoch-file.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import { apartInWorkspace, differenceText } from "../workspace/siblings-view.ts";
import { askRecorded } from "../workspace/ask.ts";
import type { psOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { ago, bytes, counted, duration } from "../output/amounts.ts";
import { out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { table } from "../output/table.ts";

const SHOWN_ENDS = 5;

/** One broker, as it reports itself, or as its file does where it does not answer. */
interface Row {
  readonly scope: string;
  readonly workspace: string;
  readonly epoch: number;
  readonly state: string;
  readonly codexHome: string;
  readonly codex: string;
  readonly label: string | null;
  /** What tells it apart from the other brokers of its workspace, in words. Null where it is alone. */
  readonly differs: readonly string[] | null;
  readonly pid: number;
  readonly ageMs: number;
  readonly sessions: number | null;
  readonly turns: number | null;
  /** Of everything that belongs to it. */
  readonly rssBytes: number | null;
  readonly usage: Usage | null;
}

export async function execute(given: Given<typeof psOptions>): Promise<ExitCode> {
  const stateDir = stateDirectory().path;
  const census = takeCensus(stateDir);
  const brokers = census.flatMap((scope) => scope.brokers.map((one) => ({ scope, ...one })));
  const differences = apartInWorkspace(brokers.map(({ scope, record }) => ({ scope, record })));
  const asked = await Promise.all(
    brokers.map(async ({ scope, forgotten, ...one }, index) => ({
      row: await rowOf(scope, one, differences[index] ?? null),
      forgotten,
    })),
  );
  const isListed = ({ row, forgotten }: (typeof asked)[number]): boolean =>
    forgotten === undefined || row.state !== "silent";
  const rows = asked.filter(isListed).map(({ row }) => row);
  const unverifiable = asked
    .filter((one) => !isListed(one))
    .map(({ row, forgotten }) => {
      const { scope, workspace, epoch, pid } = row;
      return { scope, workspace, epoch, pid, ...forgotten };
    });
  const ended = census
    .filter(({ brokers }) => brokers.length === 0)
    .flatMap(lastEnd)
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))
    .slice(0, SHOWN_ENDS);
  if (given.has("json")) out.json({ stateDir, brokers: rows, ended, unverifiable });
  else print(rows, ended, unverifiable.length);
  return EXIT.ok;
}

async function rowOf(
  { key }: ScopeCensus,
  { record }: Pick<Counted, "record">,
  differs: readonly string[] | null,
): Promise<Row> {
  const known = {
    scope: key,
    workspace: record.workspace,
    epoch: record.epoch,
    codexHome: record.codexHome,
    codex: record.codex,
    label: record.label ?? null,
    differs,
    pid: record.broker.pid,
    ageMs: Math.max(0, Date.now() - Date.parse(record.startedAt)),
  };
  const status = await askRecorded(record, "ps");
  if (status === undefined) {
    return { ...known, state: "silent", sessions: null, turns: null, rssBytes: null, usage: null };
  }
  const { state, sessions, turns, usage } = status;
  return {
    ...known,
    state,
    sessions: sessions.length,
    turns: turns.length,
    rssBytes: rssOf(usage),
    usage,
  };
}

interface LastEnd {
  readonly scope: string;
  readonly workspace: string | null;
  readonly epoch: number;
  readonly at: string;
  readonly reason: string;
  readonly abnormal: boolean;
}

function lastEnd({ key, epochs }: ScopeCensus): LastEnd[] {
  const [newest] = epochs;
  if (newest?.state !== "read" || newest.record.state !== "ended") return [];
  const { epoch, workspace, at, reason, abnormal }: EndedRecord = newest.record;
  return [{ scope: key, workspace: workspace ?? null, epoch, at, reason, abnormal }];
}

function print(rows: readonly Row[], ended: readonly LastEnd[], unverifiable: number): void {
  if (rows.length === 0) out.line(`${out.paint("dim", "○")} no broker is running`);
  else {
    const cells = rows.map((row) => [
      printableLine(row.workspace),
      String(row.epoch),
      row.state,
      String(row.pid),
      duration(row.ageMs),
      row.sessions === null ? "–" : String(row.sessions),
      row.turns === null ? "–" : String(row.turns),
      row.rssBytes === null ? "–" : bytes(row.rssBytes),
    ]);
    const heads = ["workspace", "epoch", "state", "process", "age", "sessions", "turns", "memory"];
    for (const line of table(heads, cells, out)) out.line(line);
    for (const { pid, differs } of rows) {
      if (differs === null) continue;
      const what = printableLine(differenceText(differs));
      out.line(out.paint("dim", `  process ${pid} differs from its neighbours by: ${what}`));
    }
  }
  for (const { workspace, epoch, at, reason } of ended) {
    const when = ago(Math.max(0, Date.now() - Date.parse(at)));
    const where = printableLine(workspace ?? "unknown workspace");
    out.line(
      out.paint("dim", `  ended ${when}: ${where}, epoch ${epoch}: ${printableLine(reason)}`),
    );
  }
  if (unverifiable > 0) {
    const what = `${counted(unverifiable, "broker")} of another host or container, without a sign of life for a day`;
    out.line(out.paint("dim", `  left out: ${what}  → codex-broker doctor --fix`));
  }
}
