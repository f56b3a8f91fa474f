import { BrokerError } from "../../base/errors.ts";
import type { JobView } from "../../client/job-list.ts";
import { scopesOfWorkspace, viewJobsOf } from "../../client/job-places.ts";
import { resolveScope } from "../../lifecycle/scope.ts";
import { hostSession } from "../host/host-session.ts";
import { titleOf } from "../jobs/job-facts.ts";
import { ago } from "../output/amounts.ts";

/** A job that has ended and whose thread can be gone on with. */
export interface Continuation {
  readonly available: true;
  readonly job: string;
  readonly threadId: string;
  readonly state: string;
  readonly ended: string;
  /** The beginning of what was asked. Foreign text. */
  readonly task: string;
}

const TASK_CHARACTERS = 120;

/**
 * The newest one of this host's session; undefined when there is none. With "workspace", the newest of
 * the workspace where the session has none.
 */
export async function toContinue(of: "session" | "workspace"): Promise<Continuation | undefined> {
  const session = hostSession(process.env);
  const views = await viewJobsOf(scopesOfWorkspace(resolveScope()));
  const all = views.flatMap((view) => continuationOf(view) ?? []);
  const own = all.find(({ origin }) => session !== undefined && origin === session);
  return (own ?? (of === "workspace" ? all[0] : undefined))?.continuation;
}

/** @throws BrokerError `usage` when there is nothing to go on with. */
export async function continuation(): Promise<string> {
  const found = await toContinue("workspace");
  if (found !== undefined) return found.threadId;
  throw new BrokerError("usage", "There is no earlier task here to go on with.", {
    hint: "Leave out --resume.",
  });
}

function continuationOf(
  view: JobView,
): { readonly origin: string | null; readonly continuation: Continuation } | undefined {
  if (["running", "unconfirmed", "unreadable"].includes(view.state)) return undefined;
  if (view.state === "unreadable" || view.job.threadId === null) return undefined;
  const { id, state, job } = view;
  // A review has said all it has to say.
  if (job.request.kind === "review" || job.request.title !== null) return undefined;
  const endedAt = Date.parse(job.end?.at ?? job.lastEntryAt);
  return {
    origin: job.request.origin,
    continuation: {
      available: true,
      job: id,
      threadId: view.job.threadId,
      state,
      ended: ago(Math.max(0, Date.now() - endedAt)),
      task: titleOf(view).slice(0, TASK_CHARACTERS),
    },
  };
}
