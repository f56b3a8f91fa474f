import { messageOf } from "../../src/base/errors.ts";
import { Deadline, monotonicMs, pause } from "../../src/base/deadline.ts";
import { stopBrokers } from "../../test/support/stop-brokers.ts";
import { countLeftBehind, isClean, leftBehindText, processesOf } from "../left-behind.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";

/** A broker that is only starting can be found, and stopped, when it has started. */
const START_LIMIT_MS = 5_000;
const LOOK_AGAIN_MS = 20;
/** The count says how many there are; some names are enough to see what they are. */
const MOST_NAMED = 20;

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
  await clean("the broker has stopped, and its app-server with it", () => stopAll(world));
  await clean("the model is closed", () => world.model.close());
  await clean("the directory is removed", () => world.dir.remove());

  const left = await countLeftBehind(world);
  const found = (left.processes ?? []).map(({ pid, commandLine }) => `${pid} ${commandLine}`);
  for (const one of [...found, ...left.files].slice(0, MOST_NAMED)) page.line(one, "red");
  page.blank();
  page.out.line(page.out.paint(isClean(left) ? "green" : "red", leftBehindText(left)));
  return isClean(left);
}

async function stopAll(world: PrivateWorld): Promise<void> {
  const deadline = Deadline.after(START_LIMIT_MS);
  for (;;) {
    await stopBrokers(world.stateDir);
    const others = (await processesOf(world)) ?? [];
    if (others.length === 0 || deadline.expired) return;
    await pause(LOOK_AGAIN_MS);
  }
}
