import { rssOf } from "../../base/usage.ts";
import type { BrokerState, BrokerStatus, TurnStatusEntry } from "../../wire/broker-protocol.ts";
import { ago, bytes, counted, duration, grouped } from "../output/amounts.ts";
import type { Output, Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { table } from "../output/table.ts";
import { symbols } from "../output/symbols.ts";
import { padEnd } from "../output/width.ts";

const STATE_COLOURS: Readonly<Record<BrokerState, Paint>> = {
  starting: "yellow",
  serving: "green",
  draining: "yellow",
  stopping: "yellow",
  ended: "red",
};

const LABEL_COLUMNS = 12;

/** A broker that was superseded and has not ended yet. */
export interface OlderBroker {
  readonly epoch: number;
  readonly pid: number;
  readonly state: BrokerState | "silent";
  /** Null where it does not answer. */
  readonly turns: readonly TurnStatusEntry[] | null;
}

export interface ViewOptions {
  readonly older: readonly OlderBroker[];
  /** Brokers of other scopes in this workspace, each in words. */
  readonly siblings: readonly string[];
  /** CODEX_BROKER_STATE_DIR is in force. */
  readonly stateDirChosen: boolean;
  /** What the next client will think of this broker, where that is not "use it". */
  readonly remark?: string;
}

/** The line with which everything about a broker begins. */
export function headline(status: Pick<BrokerStatus, "state" | "workspace">, to: Output): string {
  const colour = STATE_COLOURS[status.state];
  const place = to.paint("bold", printableLine(status.workspace));
  return `${to.paint(colour, `● ${status.state}`)}  ${place}`;
}

/** The whole picture. */
export function statusLines(status: BrokerStatus, options: ViewOptions, to: Output): string[] {
  const rows = [...facts(status, options)].map(([label, value, note]) =>
    row(
      label,
      `${printableLine(value)}${note === undefined ? "" : to.paint("dim", `  ${printableLine(note)}`)}`,
      to,
    ),
  );
  return [headline(status, to), ...rows, ...sessionLines(status, to), ...turnLines(status, to)];
}

function* facts(
  {
    epoch,
    startedAt,
    pid,
    usage,
    versions,
    appServer,
    endpoint,
    endsWithHost,
    stateDir,
    threads,
  }: BrokerStatus,
  { stateDirChosen, remark, older, siblings }: ViewOptions,
): Generator<[label: string, value: string, note?: string]> {
  yield ["epoch", String(epoch), `up ${duration(Date.now() - Date.parse(startedAt))}`];
  yield ["broker", `process ${pid}`, `codex-broker ${versions.broker} · node ${versions.node}`];
  if (appServer.pid === null) yield ["app-server", "starting"];
  else yield ["app-server", `process ${appServer.pid}`, appServerNote(appServer)];
  yield ["memory", bytes(rssOf(usage)), usageNote(usage)];
  yield ["threads", String(threads)];
  yield ["endpoint", endpoint];
  if (endsWithHost) yield ["host", "whose job takes this broker along when it ends"];
  if (stateDirChosen) yield ["state", stateDir, "chosen by CODEX_BROKER_STATE_DIR"];
  if (remark !== undefined) yield ["note", remark];
  for (const { epoch, pid, state, turns } of older) {
    const work = turns === null ? "" : ` · finishes ${counted(turns.length, "turn")}`;
    yield ["older", `epoch ${epoch} ${state}${work}`, `process ${pid}`];
  }
  for (const sibling of siblings) yield ["also here", sibling];
}

export function appServerNote({
  version,
  lastAnswerMsAgo,
  unansweredMs,
}: BrokerStatus["appServer"]): string {
  const health =
    unansweredMs > 0
      ? `no answer for ${duration(unansweredMs)}`
      : lastAnswerMsAgo === null
        ? "not yet answered"
        : `answered ${ago(lastAnswerMsAgo)}`;
  return `codex ${version ?? "of unknown version"} · ${health}`;
}

function usageNote({ broker, appServer, descendants }: BrokerStatus["usage"]): string {
  const parts: string[] = [];
  const memory = (who: string, rssBytes: number | null | undefined): void => {
    if (typeof rssBytes === "number") parts.push(`${who} ${bytes(rssBytes)}`);
  };
  memory("broker", broker.rssBytes);
  memory("app-server", appServer?.rssBytes);
  if (descendants !== null && descendants.count > 0) {
    memory(`its ${counted(descendants.count, "descendant")}`, descendants.rssBytes);
  }
  const { descriptors, descriptorLimit } = appServer ?? broker;
  if (descriptors !== null) {
    const limit = descriptorLimit === null ? "" : ` of ${grouped(descriptorLimit)}`;
    parts.push(`${grouped(descriptors)}${limit} descriptors`);
  }
  return parts.join(" · ");
}

function row(label: string, value: string, to: Output): string {
  return `  ${to.paint("dim", padEnd(label, LABEL_COLUMNS))}${value}`;
}

function sessionLines({ sessions }: BrokerStatus, to: Output): string[] {
  if (sessions.length === 0) return [row("sessions", "none", to)];
  const rows = sessions.map(({ id, client, pid, ageMs, threads }) => [
    String(id),
    printableLine(client),
    pid === null ? "–" : String(pid),
    duration(ageMs),
    counted(threads, "thread"),
  ]);
  return ["", ...table(["session", "client", "process", "connected", "follows"], rows, to)];
}

function turnLines({ turns, jobs, sessions }: BrokerStatus, to: Output): string[] {
  if (turns.length === 0) return [row("turns", "none", to)];
  const rows = turns.map(({ threadId, session, ageMs, silentMs }) => [
    printableLine(threadId),
    starterOf(threadId, session, jobs),
    duration(ageMs),
    ago(silentMs),
  ]);
  return [
    "",
    ...table(["turn of thread", "started by", "running", "last event"], rows, to),
    ...turns.flatMap((turn) => [...questionLines(turn, jobOf(turn.threadId, jobs), sessions, to)]),
  ];
}

function jobOf(threadId: string, jobs: BrokerStatus["jobs"]): string | undefined {
  return jobs.find((job) => job.threadId === threadId)?.job;
}

/** A job belongs to the broker, and to no session. */
function starterOf(threadId: string, session: number | null, jobs: BrokerStatus["jobs"]): string {
  const job = jobOf(threadId, jobs);
  if (job !== undefined) return `job ${printableLine(job)}`;
  return session === null ? "gone" : `session ${session}`;
}

/** What the turn waits for, and how to answer it. */
function* questionLines(
  { threadId, questions = [] }: TurnStatusEntry,
  job: string | undefined,
  sessions: BrokerStatus["sessions"],
  to: Output,
): Generator<string> {
  for (const { method, about, ageMs, sessions: asked } of questions) {
    const wish = WISHES[method] ?? method;
    const what = about === null ? wish : `${wish}: ${about}`;
    const line = `${printableLine(threadId)} waits for an answer, asked ${ago(ageMs)}`;
    yield to.paint("yellow", `${symbols.warning} ${line}`);
    yield `  ${printableLine(what)}`;
    yield `  → ${job === undefined ? wayToAnswer(asked, sessions) : `codex-broker jobs attach ${printableLine(job)}`}`;
  }
}

const WISHES: Readonly<Record<string, string>> = {
  "item/commandExecution/requestApproval": "Codex wants to run a command",
  "item/fileChange/requestApproval": "Codex wants to change files",
  "item/permissions/requestApproval": "Codex wants permissions",
  "item/tool/requestUserInput": "Codex asks a question",
  "mcpServer/elicitation/request": "An MCP server asks",
};

function wayToAnswer(asked: readonly number[], sessions: BrokerStatus["sessions"]): string {
  const [first] = sessions.filter(({ id }) => asked.includes(id));
  if (first === undefined) return "nobody is connected who could answer, so it is declined soon";
  const pid = first.pid === null ? "" : `, process ${first.pid}`;
  return `answer in session ${first.id} (${printableLine(first.client)}${pid})`;
}
