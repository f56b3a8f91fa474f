import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline, monotonicMs, pause } from "../../base/deadline.ts";
import { viewJob, type JobView } from "../../client/job-list.ts";
import { makeContact } from "../../lifecycle/contact.ts";
import { readEpoch } from "../../lifecycle/epoch-file.ts";
import type { BrokerRequests } from "../../wire/broker-protocol.ts";
import type { Outcome } from "../../wire/job-protocol.ts";
import { counted } from "../output/amounts.ts";
import { err, out } from "../output/output.ts";
import { introductionOf } from "../workspace/ask.ts";
import { untilEnded } from "./wait.ts";

/** The broker answers when the end is confirmed or when it has given up, which takes 20 s at most. */
const ANSWERED_WITHIN_MS = 30_000;
/** For a broker without other turns to end its app-server, should that be what it takes. */
const ENDED_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 200;

type Answer = BrokerRequests["broker/job/cancel"]["result"];
type Running = Extract<JobView, { state: "running" }>;

/** How a cancellation went. The order of the fields is part of what is promised. */
interface Cancellation {
  readonly job: string;
  /** How it ended; null while it has not. */
  readonly outcome: Outcome | null;
  readonly cancelled: boolean;
  readonly stillRunning: boolean;
  /** Whether the turn went on after two interrupts, so that its broker had to give way. */
  readonly escalated: boolean;
}

/** Ends a job and says only what is confirmed. */
export async function cancelJob(
  view: JobView,
  {
    json,
    timeoutMs = ENDED_WITHIN_MS,
  }: { readonly json: boolean; readonly timeoutMs?: number | undefined },
): Promise<ExitCode> {
  if (view.state === "unconfirmed") {
    throw new BrokerError("brokerUnavailable", `Job ${view.id} cannot be cancelled: ${view.why}.`, {
      details: { job: view.id },
      hint: "Try again in a moment; `codex-broker doctor` says more about the broker.",
    });
  }
  if (view.state !== "running") {
    return tell(view, { outcome: endOf(view), cancelled: false, escalated: false }, json);
  }
  const startedAt = monotonicMs();
  const answer = await ask(view);
  const escalated = answer?.escalated ?? false;
  if (escalated && !json) sayHowItEscalates(view, answer?.otherTurns ?? 0);
  const left = timeoutMs - (monotonicMs() - startedAt);
  const ended = escalated
    ? await untilBrokerHasEnded(view, left)
    : await untilEnded(view, answer?.outcome === null ? 0 : left);
  const outcome = ended === undefined ? null : endOf(ended);
  return tell(view, { outcome, cancelled: outcome === "cancelled", escalated }, json);
}

/** Undefined when the broker went away over it: then the journal says what became of the job. */
async function ask({ id, broker }: Running): Promise<Answer | undefined> {
  const deadline = Deadline.after(ANSWERED_WITHIN_MS);
  const { link } = await makeContact(broker, introductionOf("jobs cancel"), deadline);
  if (link === undefined) return undefined;
  try {
    const answer = await link.connection.request("broker/job/cancel", { job: id }, { deadline });
    return answer as Answer;
  } catch (error) {
    // It has ended meanwhile, or its broker has.
    if (BrokerError.is(error) && ANSWERED_BY_THE_JOURNAL.has(error.kind)) return undefined;
    throw error;
  } finally {
    link.connection.close();
  }
}

const ANSWERED_BY_THE_JOURNAL = new Set(["connectionLost", "invalidRequest", "appServerExited"]);

/** The job's end is in the journal before its app-server has ended; only then nothing of it runs. */
async function untilBrokerHasEnded(view: Running, withinMs: number): Promise<JobView | undefined> {
  const deadline = Deadline.after(withinMs);
  for (;;) {
    const reading = readEpoch(view.scopeDir, view.broker.epoch);
    const gone = reading?.state !== "read" || reading.record.state === "ended";
    if (gone || deadline.expired) return await viewJob(view.scopeDir, view.id);
    await pause(Math.min(LOOK_AGAIN_MS, deadline.remainingMs));
  }
}

function sayHowItEscalates({ id, broker }: Running, otherTurns: number): void {
  const first = otherTurns === 0 ? "" : ` when its ${counted(otherTurns, "other turn")} have ended`;
  err.line(
    `codex-broker: job ${id} goes on after two interrupts; the broker of epoch ${broker.epoch} takes no new work any more and ends it with its app-server${first}`,
  );
}

function endOf(view: JobView): Outcome | null {
  const { state } = view;
  return state === "running" || state === "unconfirmed" || state === "unreadable" ? null : state;
}

function tell(
  view: JobView,
  { outcome, cancelled, escalated }: Pick<Cancellation, "outcome" | "cancelled" | "escalated">,
  json: boolean,
): ExitCode {
  const { id } = view;
  const stillRunning = outcome === null && view.state !== "unreadable";
  const told: Cancellation = { job: id, outcome, cancelled, stillRunning, escalated };
  if (json) {
    out.json(told);
    return stillRunning ? EXIT.timedOut : EXIT.ok;
  }
  if (stillRunning) {
    throw new BrokerError("timedOut", `Job ${id} was told to end, and has not confirmed it.`, {
      details: { ...told },
      hint: `\`codex-broker jobs wait ${id}\` waits on; \`codex-broker stop --force\` ends its broker, with all turns that run there.`,
    });
  }
  const how = escalated ? ", with its app-server" : "";
  out.line(
    view.state === "running"
      ? `job ${id} has ended: ${String(outcome)}${how}`
      : `job ${id} had ended already: ${view.state}`,
  );
  return EXIT.ok;
}
