import { Deadline, pause } from "../base/deadline.ts";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";

const LOOK_AGAIN_MS = 20;

/** Whether that very process is proven to be gone by then. */
export async function isGoneWithin(identity: ProcessIdentity, ms: number): Promise<boolean> {
  const deadline = Deadline.after(ms);
  while (livenessOf(identity) !== "gone") {
    if (deadline.expired) return false;
    await pause(LOOK_AGAIN_MS);
  }
  return true;
}
