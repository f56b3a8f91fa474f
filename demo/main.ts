import { failureOf, printFailure } from "../src/cli/output/failure.ts";
import { err, out } from "../src/cli/output/output.ts";
import { firstClient } from "./acts/first-client.ts";
import { foundWarm } from "./acts/found-warm.ts";
import { fourAtOnce } from "./acts/four-at-once.ts";
import { leftToPlayWith } from "./acts/left-to-play-with.ts";
import { killed } from "./acts/killed.ts";
import { measured } from "./acts/measured.ts";
import { replaced } from "./acts/replaced.ts";
import { theEnd } from "./acts/the-end.ts";
import { Page } from "./page.ts";
import { openPrivateWorld, type PrivateWorld } from "./private-world.ts";
import { aborted, listenForStop, StopRequest } from "./stop-request.ts";

const USAGE = `Shows codex-broker at work, with the real codex and a scripted model.

  npm run demo
  npm run demo -- --keep    leaves everything up to play with, until Ctrl-C
`;
const EXIT_USAGE = 2;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    out.write(USAGE);
    return 0;
  }
  if (args.some((arg) => arg !== "--keep")) {
    err.write(USAGE);
    return EXIT_USAGE;
  }
  return await show(args.includes("--keep"));
}

async function show(keep: boolean): Promise<number> {
  const stop = listenForStop(out);
  const page = new Page(out);
  const world = await openPrivateWorld();
  page.heading(
    "codex-broker: one codex app-server, shared by every program that wants it",
    "Codex, its commands and all processes are real. The model is a script on loopback, so no login is needed.",
    `Everything is in ${world.dir.path}, and goes with it.`,
  );
  let exitCode = 0;
  try {
    await perform(world, page, stop);
    if (keep) {
      world.disconnect();
      leftToPlayWith(world, page);
      await aborted(stop);
    }
  } catch (thrown) {
    exitCode = report(thrown, page);
  }
  // A client that is still there would have every right to start the next broker.
  world.disconnect();
  const clean = await theEnd(world, page, keep ? 8 : 7);
  return clean ? exitCode : 1;
}

async function perform(world: PrivateWorld, page: Page, stop: AbortSignal): Promise<void> {
  stop.throwIfAborted();
  const first = await firstClient(world, page);
  stop.throwIfAborted();
  const four = await fourAtOnce(world, page, first, stop);
  const warm = await foundWarm(world, page, first, stop);
  stop.throwIfAborted();
  const replacedMs = await replaced(world, page, first, stop);
  stop.throwIfAborted();
  const gone = await killed(world, page, stop);
  stop.throwIfAborted();
  await measured(world, page, first, four, warm, replacedMs, gone);
}

/** @returns the exit code. */
function report(thrown: unknown, page: Page): number {
  if (thrown instanceof StopRequest) {
    page.blank();
    page.line(`ended early: ${thrown.message}`, "yellow");
    return thrown.exitCode;
  }
  page.blank();
  printFailure(failureOf(thrown), err);
  return 1;
}

const exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  printFailure(failureOf(thrown), err);
  return 1;
});
await Promise.all([out.flushed(), err.flushed()]);
process.exit(exitCode);
