import { errnoOf } from "../../base/errors.ts";

/** Whether anything has this pid. A zombie counts, and so does what we may not signal. */
export function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}
