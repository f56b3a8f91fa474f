import { Deadline, pause } from "../../src/base/deadline.ts";

/**
 * Waits for what nobody announces: the end of a process that is not ours to wait for, a file of
 * another's.
 */
export async function eventually(
  met: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const deadline = Deadline.after(limitMs);
  while (!(await met())) {
    if (deadline.expired) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(5);
  }
}
