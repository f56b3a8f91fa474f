import { Deadline, pause } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";

/** Operations that have begun and not settled, of all lanes. */
let begun = 0;
let idle = deferred<void>();

/**
 * Runs file operations on paths that may be on a remote disk, where an operation may never settle.
 *
 * Each operation occupies one of Node's four file threads. A lane runs one at a time, so that a disk
 * that hangs takes one thread and no more.
 */
export class FileLane {
  #last: Promise<unknown> = Promise.resolve();
  #occupied = 0;

  /** Whether an operation is under way or waits for its turn. */
  get busy(): boolean {
    return this.#occupied > 0;
  }

  /**
   * Runs the operation after the earlier ones of this lane.
   *
   * @returns its result, or undefined when there was none in time. That proves nothing about the path.
   * @throws what the operation throws.
   */
  async run<T>(operation: () => Promise<T>, withinMs: number): Promise<T | undefined> {
    const deadline = Deadline.after(withinMs);
    this.#occupied += 1;
    const result = this.#last
      .then(() => (deadline.expired ? undefined : counted(operation)))
      .finally(() => (this.#occupied -= 1));
    this.#last = result.catch(() => {});
    const late = new Error("late");
    try {
      return await deadline.race(result, () => late);
    } catch (error) {
      if (error === late) return undefined;
      throw error;
    }
  }
}

/**
 * Whether all operations have settled, or do so in time. Otherwise `process.exit` would wait for
 * them, because Node joins its file threads.
 */
export async function fileOperationsSettle(withinMs: number): Promise<boolean> {
  if (begun > 0) await Promise.race([idle.promise, pause(withinMs)]);
  return begun === 0;
}

async function counted<T>(operation: () => Promise<T>): Promise<T> {
  begun += 1;
  try {
    return await operation();
  } finally {
    begun -= 1;
    if (begun === 0) {
      idle.resolve();
      idle = deferred();
    }
  }
}
