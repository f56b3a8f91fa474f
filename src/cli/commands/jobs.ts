import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { connectBroker } from "../../client/connect.ts";
import { viewJobs, type JobView } from "../../client/job-list.ts";
import { jobsDirectory, removeOldJobs } from "../../jobs/job-directory.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import type { jobsOptions } from "../commands.ts";
import { cancelJob } from "../jobs/reach.ts";
import { failureOfJob, jobJson } from "../jobs/job-facts.ts";
import { printJobs } from "../jobs/list.ts";
import { printOutcome } from "../jobs/outcome.ts";
import { printJob } from "../jobs/show.ts";
import { untilEnded } from "../jobs/wait.ts";
import { whichJob } from "../jobs/which-job.ts";
import type { Given } from "../line/given.ts";
import { counted } from "../output/amounts.ts";
import { printFailure } from "../output/failure.ts";
import { err, out } from "../output/output.ts";
import { PlainReporter } from "../run/plain-reporter.ts";
import { clientInfo, wantedScope } from "../workspace/wanted.ts";

type Arguments = Given<typeof jobsOptions>;
type Verb = (given: Arguments, scope: Scope, id: string | undefined) => Promise<ExitCode>;

export async function execute(given: Arguments): Promise<ExitCode> {
  const [verb = "list", id] = given.operands;
  const act = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (act === undefined) {
    throw new BrokerError("usage", `There is no \`jobs ${verb}\`.`, {
      hint: `There are ${Object.keys(verbs).join(", ")}; see \`codex-broker jobs --help\`.`,
    });
  }
  return await act(given, resolveScope(wantedScope(given)), id);
}

const verbs: Readonly<Record<string, Verb>> = {
  async list(given, { directory }) {
    const views = await viewJobs(directory);
    if (given.has("json")) out.json({ jobs: views.map(jobJson) });
    else printJobs(views, given.has("all"), out);
    return EXIT.ok;
  },

  async show(given, { directory }, id) {
    const view = whichJob(await viewJobs(directory), id);
    if (given.has("json")) out.json(jobJson(view));
    else printJob(view, out);
    return EXIT.ok;
  },

  async result(given, { directory }, id) {
    const view = whichJob(await viewJobs(directory), id, hasEnded);
    return tellResult(given, view);
  },

  async wait(given, { directory }, id) {
    const chosen = whichJob(await viewJobs(directory), id);
    const timeoutMs = given.seconds("timeout");
    const view = await untilEnded(directory, chosen.id, timeoutMs);
    if (view === undefined) throw gone(chosen.id);
    if (view.state === "running") {
      throw new BrokerError("timedOut", `Job ${view.id} still runs.`, {
        details: { job: view.id },
        hint: `It goes on; \`codex-broker jobs wait ${view.id}\` waits again.`,
      });
    }
    return tellResult(given, view);
  },

  async attach(given, scope, id) {
    const view = whichJob(await viewJobs(scope.directory), id);
    if (view.state !== "running" || view.job.threadId === null) return tellResult(given, view);
    await using client = await connectBroker({
      ...wantedScope(given),
      clientInfo: clientInfo("jobs attach"),
    });
    const reporter = new PlainReporter(err);
    try {
      for await (const event of client.joinTurn({ threadId: view.job.threadId })) {
        reporter.event(event);
      }
    } catch (error) {
      // Its end came first, or it runs in an older broker: the journal says how it ends.
      if (!BrokerError.is(error)) throw error;
    }
    const ended = await untilEnded(scope.directory, view.id);
    if (ended === undefined) throw gone(view.id);
    return tellResult(given, ended);
  },

  async cancel(given, { directory }, id) {
    const views = await viewJobs(directory);
    const view = whichJob(views, id, ({ state }) => state === "running");
    if (view.state !== "running") {
      if (given.has("json")) out.json({ job: view.id, outcome: view.state, cancelled: false });
      else out.line(`job ${view.id} had ended already: ${view.state}`);
      return EXIT.ok;
    }
    const { outcome } = await cancelJob(view);
    if (given.has("json")) out.json({ job: view.id, outcome, cancelled: outcome === "cancelled" });
    else if (outcome !== null) out.line(`job ${view.id} has ended: ${outcome}`);
    if (outcome !== null) return EXIT.ok;
    throw new BrokerError("timedOut", `Job ${view.id} was told to end, and has not confirmed it.`, {
      details: { job: view.id },
      hint: `\`codex-broker jobs show ${view.id}\` says how it goes; \`codex-broker stop --force\` ends its broker, with all turns that run there.`,
    });
  },

  async clean(given, { directory }) {
    const removed = removeOldJobs(jobsDirectory(directory), Date.now(), { keptForMs: 0 });
    if (given.has("json")) out.json({ removed });
    else out.line(`${counted(removed.length, "job")} removed`);
    return await Promise.resolve(EXIT.ok);
  },
};

/** The final message is all that goes to stdout, as `run` has it. */
function tellResult(given: Arguments, view: JobView): ExitCode {
  if (view.state === "unreadable") {
    throw new BrokerError("stateDirUnusable", `Job ${view.id} cannot be read: ${view.why}.`);
  }
  const failure = failureOfJob(view);
  if (given.has("json")) out.json(jobJson(view));
  else if (view.state === "running") {
    err.line(`job ${view.id} still runs; \`codex-broker jobs wait ${view.id}\` waits for its end`);
  } else printOutcome(view, out);
  if (failure === undefined) return EXIT.ok;
  if (!given.has("json")) printFailure(failure, err);
  return failure.exitCode;
}

function hasEnded({ state }: JobView): boolean {
  return state !== "running" && state !== "unconfirmed";
}

function gone(id: string): BrokerError {
  return new BrokerError("usage", `Job ${id} was removed meanwhile.`);
}
