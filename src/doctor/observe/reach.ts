import { Deadline } from "../../base/deadline.ts";
import { reach as reachWithin, type Reach } from "../../lifecycle/contact.ts";

/** Nobody needs longer to take a connection; one that hangs takes it all the same. */
const WITHIN_MS = 1_000;

/** Whether a listener takes connections there. Sends nothing. */
export async function reach(path: string): Promise<Reach> {
  return await reachWithin(path, Deadline.after(WITHIN_MS));
}
