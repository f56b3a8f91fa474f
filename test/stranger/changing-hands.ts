import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Writable } from "node:stream";
import { Deadline, monotonicMs, pause } from "../../src/base/deadline.ts";
import { identityOf } from "../../src/os/process-identity.ts";
import { killProven } from "../../src/os/verified-kill.ts";
import { WAITS } from "./stranger.ts";
import { noteReached, type Row } from "./tally.ts";

const LONGER_THAN_A_TICK_MS = 20;
/** Signals are sent for so long without a look to the left or right. */
const BURST_MS = 4;
/** For what takes a shell a millisecond. */
const LIMIT_MS = 20_000;

/**
 * Each round: a process that SIGTERM does not end is killed, and its pid is given to a stranger at once.
 * A shell needs no other process for any of it.
 */
const ROUNDS = `
while read -r _; do
  ( trap "" TERM; echo first; exec sleep 1000 ) &
  pid=$!
  echo "pid $pid"
  read -r _
  kill -9 $pid; wait $pid 2>/dev/null
  echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid
  ( ${WAITS} ) <&3 &
  echo "next $!"
  wait $!
  echo "end $?"
done`;

/** Signals go to a process again and again, while its pid passes to a stranger. */
export async function changingHands(row: Row, rounds: number): Promise<void> {
  const shell = spawn("/bin/sh", ["-c", ROUNDS], { stdio: ["pipe", "pipe", "inherit", "pipe"] });
  for (const pipe of [shell.stdin, shell.stdio[3]]) pipe?.on("error", () => {});
  const said = new Lines(shell);
  for (let left = rounds; left > 0; left -= 1) await oneRound(row, shell, said);
  shell.stdin?.end();
  await once(shell, "exit");
}

async function oneRound(row: Row, shell: ChildProcess, said: Lines): Promise<void> {
  said.lines.length = 0;
  shell.stdin?.write("\n");
  await said.until((lines) => lines.includes("first") && lines.some(starts("pid ")));
  const pid = Number(said.valueOf("pid "));
  const identity = identityOf(pid);
  await pause(LONGER_THAN_A_TICK_MS);
  shell.stdin?.write("\n");
  let strangerSeenAt = Infinity;
  while (monotonicMs() < strangerSeenAt + BURST_MS) {
    const end = monotonicMs() + BURST_MS;
    while (monotonicMs() < end) {
      killProven(identity, "SIGTERM");
      row.calls += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (said.lines.some(starts("next "))) strangerSeenAt = Math.min(strangerSeenAt, end);
  }
  const pipe = shell.stdio[3] as Writable;
  await said.until((lines) => lines.includes("ready") || lines.some(starts("end ")));
  pipe.write("\n");
  await said.until((lines) => lines.some(starts("end ")));
  // Somebody else was given the pid: that was no round.
  if (Number(said.valueOf("next ")) !== pid) return;
  row.rounds += 1;
  noteReached(row, said.lines.filter(starts("heard ")));
  const code = said.valueOf("end ");
  if (code !== "0") noteReached(row, [`the stranger ended with ${code}`]);
}

const starts =
  (word: string) =>
  (line: string): boolean =>
    line.startsWith(word);

class Lines {
  readonly lines: string[] = [];
  readonly #reader: Interface;

  constructor(shell: ChildProcess) {
    this.#reader = createInterface({ input: shell.stdout! });
    this.#reader.on("line", (line) => this.lines.push(line));
  }

  async until(met: (lines: readonly string[]) => boolean): Promise<void> {
    const deadline = Deadline.after(LIMIT_MS);
    const tooLate = (): Error => new Error(`the shell only said: ${this.lines.join(", ")}`);
    while (!met(this.lines)) await deadline.race(once(this.#reader, "line"), tooLate);
  }

  valueOf(word: string): string {
    return this.lines.find(starts(word))?.slice(word.length) ?? "";
  }
}
