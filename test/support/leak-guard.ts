import { afterAll, beforeAll } from "vitest";

import { LeakWatch } from "./leak-watch.ts";
import { pidsInWorkerJob } from "./worker-job.ts";
import { CAN_SEE_PROCESSES } from "./marked-processes.ts";

/**
 * Fails the suite if a process or an owned path outlives it. To be called at the head of a suite, so that its checks run
 * after every other clean-up.
 */
export function guardAgainstLeaks(): void {
  let watch: LeakWatch | undefined;
  beforeAll(() => {
    watch = new LeakWatch();
  });
  afterAll(async () => {
    if (!CAN_SEE_PROCESSES && pidsInWorkerJob() === undefined) {
      console.warn(`processes left behind were not looked for on ${process.platform}`);
    }
    const leaks = (await watch?.finish()) ?? [];
    if (leaks.length > 0) throw new Error(`this suite leaks:\n${leaks.join("\n")}`);
  });
}
