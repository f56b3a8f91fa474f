import type { JobView } from "../../client/job-list.ts";
import type { Output } from "../output/output.ts";
import { asksForReview, reviewIn, type AdversarialReview } from "../review/adversarial-review.ts";
import { printReview } from "../review/report.ts";

type Read = Exclude<JobView, { state: "unreadable" }>;

/**
 * Of an adversarial review that has come to its end, what it found.
 *
 * @throws BrokerError `replyUnfit`.
 */
export function reviewOf({ state, job }: Read): AdversarialReview | undefined {
  if (state !== "completed" || !asksForReview(job.request.outputSchema)) return undefined;
  return reviewIn(job.end?.message ?? "", job.threadId ?? "");
}

/** What came of the job: the final message, or the findings of a review. */
export function printOutcome(view: Read, to: Output): void {
  const review = ifFit(view);
  if (review !== undefined) return printReview(review, to);
  const message = view.job.end?.message ?? "";
  if (message !== "") to.foreign(message.endsWith("\n") ? message : `${message}\n`);
}

/** Where it does not fit, the message is all there is; what is wrong with it is told elsewhere. */
function ifFit(view: Read): AdversarialReview | undefined {
  try {
    return reviewOf(view);
  } catch {
    return undefined;
  }
}
