import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { JobView } from "../../client/job-list.ts";
import { makeContact } from "../../lifecycle/contact.ts";
import type { BrokerRequests } from "../../wire/broker-protocol.ts";
import { introductionOf } from "../workspace/ask.ts";

/** The broker itself waits for ten seconds until it says that the end is not confirmed. */
const CANCEL_WITHIN_MS = 20_000;

type Cancelled = BrokerRequests["broker/job/cancel"]["result"];

/** Asks the very broker that runs the job, which may be an older one. */
export async function cancelJob({
  id,
  broker,
}: Extract<JobView, { state: "running" }>): Promise<Cancelled> {
  const deadline = Deadline.after(CANCEL_WITHIN_MS);
  const { link } = await makeContact(broker, introductionOf("jobs cancel"), deadline);
  if (link === undefined) {
    throw new BrokerError("brokerUnavailable", `The broker of job ${id} does not answer.`);
  }
  try {
    const answer = await link.connection.request("broker/job/cancel", { job: id }, { deadline });
    return answer as Cancelled;
  } finally {
    link.connection.close();
  }
}
