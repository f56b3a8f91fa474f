import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { connectBroker } from "../../client/connect.ts";
import { viewJob, type JobView } from "../../client/job-list.ts";
import {
  scopesOfUser,
  scopesOfWorkspace,
  viewJobsOf,
  workspaceOf,
} from "../../client/job-places.ts";
import { jobsDirectory, listSetAside } from "../../jobs/job-directory.ts";
import { looksLikeJobId } from "../../jobs/job-id.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import type { jobsOptions } from "../commands.ts";
import { attach } from "../jobs/attach.ts";
import { cancelJob } from "../jobs/cancel.ts";
import { cleanJobs } from "../jobs/clean.ts";
import { jobJson, tellResult, titleOf } from "../jobs/job-facts.ts";
import { printJobs } from "../jobs/list.ts";
import { printJournal } from "../jobs/logs.ts";
import { resumeJob } from "../jobs/resume.ts";
import { printJob } from "../jobs/show.ts";
import { untilEnded } from "../jobs/wait.ts";
import { whichJob } from "../jobs/which-job.ts";
import type { Given } from "../line/given.ts";
import { err, out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { requireLogin } from "../run/login.ts";
import { jobVerbMeant } from "../line/habits.ts";
import { clientInfo, wantedScope } from "../workspace/wanted.ts";

type Arguments = Given<typeof jobsOptions>;
type Verb = (given: Arguments, scope: Scope, operands: readonly string[]) => Promise<ExitCode>;

export async function execute(given: Arguments): Promise<ExitCode> {
  const [verb = "list", ...operands] = given.operands;
  const act = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (act === undefined) {
    const meant = jobVerbMeant(verb);
    const suggestion = meant === undefined ? "" : ` Did you mean \`jobs ${meant}\`?`;
    throw new BrokerError("usage", `There is no \`jobs ${verb}\`.${suggestion}`, {
      hint: `There are ${Object.keys(verbs).join(", ")}; see \`codex-broker jobs --help\`.`,
    });
  }
  return await act(given, resolveScope(wantedScope(given)), operands);
}

const verbs: Readonly<Record<string, Verb>> = {
  async list(given, scope) {
    const scopeDirs = wantedScopes(given, scope);
    const views = await viewJobsOf(scopeDirs);
    const setAside = (
      await Promise.all(scopeDirs.map((each) => listSetAside(jobsDirectory(each))))
    ).flat();
    if (given.has("json")) out.json({ jobs: views.map(jobJson), setAside });
    else printJobs(views, setAside, given.has("all"), out);
    return EXIT.ok;
  },

  async show(given, scope, operands) {
    const view = await pick(scope, only(operands));
    if (given.has("json")) out.json(jobJson(view));
    else await printJob(view, out);
    return EXIT.ok;
  },

  async result(given, scope, operands) {
    return tellResult(given, await pick(scope, only(operands), hasEnded));
  },

  async wait(given, scope, operands) {
    const chosen = await pick(scope, only(operands));
    const view = await untilEnded(chosen, given.seconds("timeout"));
    if (view === undefined) throw gone(chosen);
    if (view.state === "running") {
      throw new BrokerError("timedOut", `Job ${view.id} still runs.`, {
        details: { job: view.id },
        hint: `It goes on; \`codex-broker jobs wait ${view.id}\` waits again.`,
      });
    }
    return tellResult(given, view);
  },

  async logs(given, scope, operands) {
    const view = await pick(scope, only(operands));
    const [from, json] = [given.count("from") ?? 1, given.has("json")];
    await printJournal(view, { from, json, follow: given.has("follow") });
    return EXIT.ok;
  },

  async attach(given, scope, operands) {
    return await attachTo(given, await pick(scope, only(operands)));
  },

  async cancel(given, scope, operands) {
    const view = await pick(scope, only(operands), ({ state }) => state === "running");
    return await cancelJob(view, { json: given.has("json"), timeoutMs: given.seconds("timeout") });
  },

  async resume(given, scope, operands) {
    const [first] = operands;
    const id = first !== undefined && looksLikeJobId(first) ? first : undefined;
    const prompt = operands.slice(id === undefined ? 0 : 1).join(" ");
    const view = await pick(scope, id, hasEnded);
    const workspace = workspaceOf(view.scopeDir);
    await using client = await connectBroker({
      ...wantedScope(given),
      ...(workspace === undefined ? {} : { cwd: workspace }),
      clientInfo: clientInfo("jobs resume"),
    });
    await requireLogin(client);
    const started = await resumeJob(client, view, prompt);
    const { job, threadId } = started;
    const what = `job ${job} goes on with thread ${threadId} of job ${view.id}`;
    if (!given.has("attach")) {
      if (given.has("json")) out.json({ ...started, resumed: view.id });
      else out.line(`${out.paint("green", "●")} ${what}, in the background`);
      return EXIT.ok;
    }
    err.line(err.paint("dim", `codex-broker: ${what}`));
    return await attachTo(given, await pick(scope, job));
  },

  async clean(given, scope) {
    return await cleanJobs(wantedScopes(given, scope), given.has("json"));
  },
};

function wantedScopes(given: Arguments, scope: Scope): string[] {
  return given.has("all") ? scopesOfUser(scope.stateDir) : scopesOfWorkspace(scope);
}

/**
 * The job that is meant: one of this workspace, or any job of this user where it is named. What is
 * not named is said.
 */
async function pick(
  scope: Scope,
  id: string | undefined,
  fits?: (view: JobView) => boolean,
): Promise<JobView> {
  const here = await viewJobsOf(scopesOfWorkspace(scope));
  if (id !== undefined && !here.some((view) => view.id.startsWith(id))) {
    return whichJob(await viewJobsOf(scopesOfUser(scope.stateDir)), id);
  }
  const view = whichJob(here, id, fits);
  if (id === undefined) {
    const title = view.state === "unreadable" ? view.why : titleOf(view);
    err.line(err.paint("dim", `codex-broker: job ${view.id}: ${printableLine(title)}`));
  }
  return view;
}

async function attachTo(given: Arguments, view: JobView): Promise<ExitCode> {
  const [from, json] = [given.count("from") ?? 1, given.has("json")];
  const ended = await attach(view, { from, json });
  if (ended !== undefined) return tellResult(given, ended);
  if ((await viewJob(view.scopeDir, view.id)) === undefined) throw gone(view);
  return EXIT.interrupted;
}

function only([id, ...more]: readonly string[]): string | undefined {
  if (more.length === 0) return id;
  throw new BrokerError("usage", `One job can be named, not ${more.length + 1}.`);
}

function hasEnded({ state }: JobView): boolean {
  return state !== "running" && state !== "unconfirmed";
}

function gone({ id }: Pick<JobView, "id">): BrokerError {
  return new BrokerError("usage", `Job ${id} was removed meanwhile.`);
}
