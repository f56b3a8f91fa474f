import { Deadline, pause } from "../../src/base/deadline.ts";

const LIMIT_MS = 10_000;

/** Waits for what nobody announces: the end of a process that is not ours to wait for, a file of another's. */
export async function eventually(
  met: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = Deadline.after(LIMIT_MS);
  while (!(await met())) {
    if (deadline.expired) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await pause(5);
  }
}
