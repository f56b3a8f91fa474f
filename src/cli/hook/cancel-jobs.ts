import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline, pause } from "../../base/deadline.ts";
import { scopesOfUser } from "../../client/job-places.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import { jobsOfSession, type JobOfSession } from "../host/session-jobs.ts";
import { cancelJob } from "../jobs/cancel.ts";
import { failureOf, printFailure } from "../output/failure.ts";
import { err } from "../output/output.ts";

const CANCEL_WITHIN_MS = 60_000;
const ASK_AGAIN_AFTER_MS = 1_000;

/**
 * What the end of a session leaves behind. Each job is asked of the very broker that runs it, and
 * nobody is signalled; one that does not answer is asked again for a while.
 */
export async function cancelJobsOfSession(session: string | undefined): Promise<ExitCode> {
  if (session === undefined) throw new BrokerError("turnFailed", "No session was named.");
  const deadline = Deadline.after(CANCEL_WITHIN_MS);
  for (;;) {
    // It may have changed its directory meanwhile, and its environment with it.
    const jobs = await jobsOfSession(scopesOfUser(stateDirectory().path), session);
    await Promise.all(jobs.map(tryToCancel));
    const isOpen = jobs.some(({ state }) => state === "running" || state === "unconfirmed");
    if (!isOpen || deadline.expired) return EXIT.ok;
    await pause(ASK_AGAIN_AFTER_MS);
  }
}

async function tryToCancel(view: JobOfSession): Promise<void> {
  if (view.state !== "running") return;
  try {
    await cancelJob(view, { json: false });
  } catch (error) {
    printFailure(failureOf(error), err);
  }
}
