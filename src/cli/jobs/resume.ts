import { BrokerError } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { JobView } from "../../client/job-list.ts";
import { hostSession } from "../host/host-session.ts";
import { unreadable } from "./job-facts.ts";
import type { JobStarted, JobStartParams } from "../../wire/job-protocol.ts";

/** What an interrupted job is told when nothing else is to be said. */
const GO_ON = "You were interrupted. Go on with what you were asked to do.";

/**
 * Goes on with the thread of a job that has ended, in a new job with the same settings.
 *
 * @throws BrokerError `usage` when there is nothing to go on with, `threadBusy` when it still runs.
 */
export async function resumeJob(
  client: BrokerClient,
  view: JobView,
  prompt: string,
): Promise<JobStarted> {
  return await client.request("broker/job/start", {
    ...continuationOf(view, prompt),
    // Whoever goes on with it need not be who began it.
    origin: hostSession(process.env) ?? null,
  });
}

export function continuationOf(view: JobView, prompt: string): JobStartParams {
  const { id, state } = view;
  if (state === "unreadable") throw unreadable(view);
  if (state === "running" || state === "unconfirmed") {
    throw new BrokerError("threadBusy", `Job ${id} has not ended.`, {
      details: { job: id, threadId: view.job.threadId },
      hint: `Join it with \`codex-broker jobs attach ${id}\`, or end it with \`codex-broker jobs cancel ${id}\`.`,
    });
  }
  const { request, threadId } = view.job;
  if (threadId === null) {
    throw new BrokerError("usage", `Job ${id} has no thread: nothing had come of it.`, {
      hint: "Start it again with `codex-broker run --background`.",
    });
  }
  // The thread knows where it works.
  const again: JobStartParams = { ...request, threadId, cwd: null };
  if (prompt !== "") return { ...again, kind: "turn", target: null, title: null, prompt };
  if (state === "completed") {
    throw new BrokerError("usage", `Job ${id} has completed: say what comes next.`, {
      hint: `\`codex-broker jobs resume ${id} "and now …"\`.`,
    });
  }
  return request.kind === "review" ? again : { ...again, title: request.title, prompt: GO_ON };
}
