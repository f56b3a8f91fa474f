import path from "node:path";
import { olderBrokers } from "../lifecycle/older-brokers.ts";
import type { Scope } from "../lifecycle/scope.ts";
import type { FileLane } from "../os/file-lane.ts";
import { lockHolder, type LockHolder } from "../os/lock-holder.ts";

/** The process that writes to a thread. Codex lets one app-server at a time do that. */
export interface ThreadWriter extends LockHolder {
  /** Of the broker whose app-server it is, if it is that of one that was superseded here. */
  readonly epoch: number | null;
}

/** The directory may be on a remote disk, and the answer only makes an error more exact. */
const ANSWER_WITHIN_MS = 2_000;

/** @returns undefined when nobody does, and where it cannot be known. */
export async function writerOf(
  scope: Scope,
  epoch: number,
  threadId: string,
  lane: FileLane,
): Promise<ThreadWriter | undefined> {
  const lock = writerLock(scope.codexHome, threadId);
  const holder = await lane.run(() => lockHolder(lock), ANSWER_WITHIN_MS);
  if (holder === undefined) return undefined;
  const older = olderBrokers(scope.directory, epoch);
  const its = older.find(({ appServer }) => appServer?.pid === holder.pid);
  return { ...holder, epoch: its?.epoch ?? null };
}

/** Codex keeps one such file for each thread, and whoever writes to the thread has it locked. */
function writerLock(codexHome: string, threadId: string): string {
  return path.join(codexHome, "thread-writer-locks", `${path.basename(threadId)}.lock`);
}
