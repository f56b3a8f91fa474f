import { BrokerError } from "../../base/errors.ts";
import type { JobView } from "../../client/job-list.ts";
import { looksLikeJobId } from "../../jobs/job-id.ts";

/**
 * The job that is meant: by its id or the beginning of it; without one, the newest that `fits`.
 *
 * @param views the newest first.
 * @throws BrokerError `usage` when there is none, or more than one.
 */
export function whichJob(
  views: readonly JobView[],
  id: string | undefined,
  fits: (view: JobView) => boolean = () => true,
): JobView {
  const hint = "`codex-broker jobs` lists them.";
  if (id !== undefined && !looksLikeJobId(id)) {
    throw new BrokerError("usage", `${JSON.stringify(id)} is no job's id.`, { hint });
  }
  const found =
    id === undefined ? views.filter(fits) : views.filter((one) => one.id.startsWith(id));
  const [first, second] = found;
  if (first === undefined) {
    const message = id === undefined ? "There is no such job here." : `There is no job ${id} here.`;
    throw new BrokerError("usage", message, { hint });
  }
  if (id === undefined || second === undefined) return first;
  throw new BrokerError(
    "usage",
    `${id} begins the ids of ${found.length} jobs: ${found.map((one) => one.id).join(", ")}.`,
    { hint: "Give some more of it." },
  );
}
