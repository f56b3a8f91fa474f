import { monotonicMs } from "../../src/base/deadline.ts";
import { messageOf } from "../../src/base/errors.ts";
import { stopBrokers } from "../../test/support/stop-brokers.ts";
import { countLeftBehind, isClean, leftBehindText } from "../left-behind.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";

/** Ends and removes everything, whatever had happened before. @returns whether nothing is left. */
export async function theEnd(world: PrivateWorld, page: Page, act: number): Promise<boolean> {
  page.title(act, "The end: the broker is stopped, and everything is removed");
  const clean = async (what: string, work: () => Promise<void>): Promise<void> => {
    const begunAt = monotonicMs();
    try {
      await work();
      page.step(monotonicMs() - begunAt, what);
    } catch (error) {
      // The count below says what it has led to.
      page.line(`not so: ${what}: ${messageOf(error)}`, "red");
    }
  };
  await clean("the broker has stopped, and its app-server with it", () =>
    stopBrokers(world.stateDir),
  );
  await clean("the model is closed", () => world.model.close());
  await clean("the directory is removed", () => world.dir.remove());

  const left = await countLeftBehind(world);
  const found = (left.processes ?? []).map(({ pid, commandLine }) => `${pid} ${commandLine}`);
  for (const one of [...found, ...left.files]) page.line(one, "red");
  page.blank();
  page.out.line(page.out.paint(isClean(left) ? "green" : "red", leftBehindText(left)));
  return isClean(left);
}
