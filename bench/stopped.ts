import { constants } from "node:os";
import { provenDescendants } from "../src/os/kill-tree.ts";
import { identityIn, ownIdentity } from "../src/os/process-identity.ts";
import { killProven } from "../src/os/verified-kill.ts";
import type { Ground } from "./ground.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What is measured goes on meanwhile, and may start something once more. */
const ROUNDS = 3;

/**
 * When the benchmarks are told to end half-way, so does all that they have started: brokers outlive
 * whoever started them, and Codex's own listener does too.
 *
 * @returns what is to be disposed of before the ground: an end that a signal has begun goes first.
 */
export function endWithSignals(ground: Ground): AsyncDisposable {
  let ended: Promise<void> | undefined;
  const end = async (signal: (typeof SIGNALS)[number]): Promise<void> => {
    // Whatever fails from now on fails because of this.
    process.on("uncaughtException", () => {});
    process.on("unhandledRejection", () => {});
    await abandon(ground).catch((error: unknown) => console.error(error));
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, () => void (ended ??= end(signal)));
  return { [Symbol.asyncDispose]: async () => await ended };
}

async function abandon(ground: Ground): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = provenDescendants(ownIdentity());
    if (round > 0 && started.length === 0) break;
    for (const each of started) killProven(identityIn(each), "SIGKILL");
    await ground.stopAll();
  }
  await ground[Symbol.asyncDispose]();
}
