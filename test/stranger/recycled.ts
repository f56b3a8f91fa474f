import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { AppServerChild } from "../../src/app-server/child.ts";
import { stopAppServer } from "../../src/app-server/stop-ladder.ts";
import { sweep } from "../../src/app-server/sweep.ts";
import { pause } from "../../src/base/deadline.ts";
import { killTreeProven } from "../../src/os/kill-tree.ts";
import { identityOf, livenessOf, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { killProven } from "../../src/os/verified-kill.ts";
import { eventually } from "../support/eventually.ts";
import { wrongNames } from "./names.ts";
import { Stranger } from "./stranger.ts";
import { noteReached, type Row } from "./tally.ts";

/** The kernel counts start times in ticks of 10 ms; no pid comes round within one. */
const LONGER_THAN_A_TICK_MS = 20;
const BATCH = 20;
const SWEEP_MS = 20;

/** Processes end, strangers get their pids, and everything that signals is told the old names. */
export async function recycledNames(row: Row, rounds: number): Promise<void> {
  for (let left = rounds; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left);
    const children = Array.from({ length: size }, () => spawn("sleep", ["1000"]));
    const dead = children.map(({ pid }) => identityOf(pid ?? 0));
    await pause(LONGER_THAN_A_TICK_MS);
    await Promise.all(children.map(endOf));
    const strangers: Stranger[] = [];
    for (const { pid } of dead) strangers.push(await Stranger.withPid(pid));
    for (const [index, identity] of dead.entries()) {
      const other = strangers[(index + 1) % size]?.pid ?? identity.pid;
      tryAll(row, identity, other);
      row.rounds += 1;
    }
    for (const stranger of strangers) noteReached(row, await stranger.leave());
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

function tryAll(row: Row, dead: ProcessIdentity, other: number): void {
  for (const { how, identity } of wrongNames(dead, dead.pid, other)) {
    const outcomes = [
      killProven(identity, "SIGTERM"),
      killProven(identity, "SIGKILL"),
      killTreeProven(identity),
    ];
    for (const outcome of outcomes) {
      row.calls += 1;
      if (outcome !== "signalled") continue;
      row.signalled += 1;
      row.details.push(how);
    }
  }
}

/** An app-server and its command are killed, and both pids go to strangers before it is stopped. */
export async function recycledFamily(row: Row, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    let command = 0;
    const child = AppServerChild.spawn({
      codex: "/bin/sh",
      args: ["-c", `sleep 1000 & echo "{\\"pid\\":$!}"; wait; read -r _`],
      env: process.env,
      cwd: "/",
      maxLineBytes: 1000,
      onLine: (line) => (command = (JSON.parse(line.toString()) as { pid: number }).pid),
    });
    await eventually(() => command > 0, "the command runs");
    const [root, below] = [identityOf(child.pid ?? 0), identityOf(command)];
    await eventually(() => child.descendants.note().length > 0, "it is taken down");
    await pause(LONGER_THAN_A_TICK_MS);
    for (const { pid } of [below, root]) process.kill(pid, "SIGKILL");
    await child.exited;
    await eventually(() => [root, below].every(isFree), "both pids are free");
    const strangers = [await Stranger.withPid(root.pid), await Stranger.withPid(below.pid)];
    child.kill("SIGTERM");
    child.kill("SIGKILL");
    const { found } = await sweep(child.descendants, SWEEP_MS);
    const report = await stopAppServer(child);
    row.calls += 4;
    row.signalled += found + report.sweep.found;
    row.rounds += 1;
    for (const stranger of strangers) noteReached(row, await stranger.leave());
  }
}

/** Not even as a zombie is it there. */
export function isFree(identity: ProcessIdentity): boolean {
  return livenessOf(identity) === "gone" && readStat(identity.pid) === undefined;
}
