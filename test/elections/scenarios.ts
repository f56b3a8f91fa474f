import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { newestEpoch, readEpoch, type EpochRecord } from "../../src/lifecycle/epoch-file.ts";
import { removeIfThere } from "../../src/os/atomic-file.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { eventually } from "../support/eventually.ts";
import { Asker } from "./asker.ts";
import type { Random } from "./random.ts";

/** Where an election takes place. */
export interface Place {
  readonly workspace: string;
  readonly scopeDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly askerProgram: string;
  readonly claimantProgram: string;
  readonly random: Random;
}

/** What is there before the word is given, what happens meanwhile, and what comes after. */
export interface Scenario {
  readonly name: string;
  /** @returns what is to be done once everybody has been served. */
  prepare?(place: Place): Promise<(() => Promise<void>) | undefined>;
  /** @returns whether what was to happen did happen. */
  meanwhile?(place: Place, askers: readonly Asker[]): Promise<boolean>;
  /** Somebody may be served by a broker that is killed or superseded a moment later. */
  readonly mayServeTwice?: boolean;
}

/** A stopped claimant is waited for until its claim is 10 s old. Of that, the round waits for the rest. */
const STOPPED_CLAIM_AGE_MS = 8_000;
/** A broker needs some 100 ms to serve. */
const LONGEST_KILL_DELAY_MS = 60;
const EVENT_WITHIN_MS = 30_000;

export const scenarios: readonly Scenario[] = [
  { name: "clean" },
  {
    name: "stale record",
    async prepare(place) {
      const endpoint = await killedBroker(place);
      removeIfThere(endpoint);
      return undefined;
    },
  },
  {
    name: "stale socket",
    async prepare(place) {
      await killedBroker(place);
      return undefined;
    },
  },
  {
    name: "claimant killed mid-start",
    async prepare(place) {
      const claimant = await startClaimant(place, "dies", 0);
      await claimant.ended;
      return undefined;
    },
  },
  {
    name: "claimant stopped",
    async prepare(place) {
      const { child, ended } = await startClaimant(place, "stops", STOPPED_CLAIM_AGE_MS);
      const { pid } = child;
      if (pid === undefined) throw new Error("the claimant did not start");
      await eventually(() => readStat(pid)?.state === "T", "the claimant stops");
      return async () => {
        child.kill("SIGCONT");
        await ended;
      };
    },
  },
  { name: "winner killed before it serves", meanwhile: killWinner, mayServeTwice: true },
];

/** A broker that served and was killed; its record says that it serves, and its socket file is there. */
async function killedBroker(place: Place): Promise<string> {
  const asker = new Asker(place.askerProgram, place.workspace, place.env);
  await asker.ready;
  asker.askAt(0);
  const answer = await asker.answer;
  if (answer.kind !== "served") throw new Error(`no broker to kill: ${JSON.stringify(answer)}`);
  const record = recordOf(place, answer.epoch);
  if (record?.state !== "serving") throw new Error("the broker does not serve");
  process.kill(answer.broker, "SIGKILL");
  await eventually(() => isGone(answer.broker), "the killed broker is gone");
  return record.endpoint;
}

function isGone(pid: number): boolean {
  return ["Z", undefined].includes(readStat(pid)?.state);
}

function recordOf({ scopeDir }: Place, epoch: number): EpochRecord | undefined {
  const reading = readEpoch(scopeDir, epoch);
  return reading?.state === "read" ? reading.record : undefined;
}

interface Claimant {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

/** Resolves when it has its claim. */
async function startClaimant(
  { claimantProgram, workspace, env }: Place,
  fate: "dies" | "stops",
  ageMs: number,
): Promise<Claimant> {
  const child = spawn(process.execPath, [claimantProgram, workspace, fate, String(ageMs)], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  return { child, ended };
}

/** As soon as somebody has won: kills it, or the broker that it starts, or both, at some moment of the start. */
async function killWinner(place: Place, askers: readonly Asker[]): Promise<boolean> {
  const { random, scopeDir } = place;
  const victims = random.oneOf([["claimant"], ["broker"], ["broker", "claimant"]]);
  const delayMs = random.below(LONGEST_KILL_DELAY_MS);
  const deadline = Deadline.after(EVENT_WITHIN_MS);
  let reading = newestEpoch(scopeDir);
  while (reading?.state !== "read") {
    if (deadline.expired) throw new Error("nobody claims the epoch");
    await pause(1);
    reading = newestEpoch(scopeDir);
  }
  const { epoch, claimant } = reading.record;
  if (!askers.some(({ pid }) => pid === claimant.pid)) throw new Error("a stranger won");
  await pause(delayMs);
  for (const victim of victims) {
    const pid = victim === "claimant" ? claimant.pid : await brokerOf(place, epoch, claimant.pid);
    if (recordOf(place, epoch)?.state !== "claimed" || pid === undefined) return false;
    process.kill(pid, "SIGKILL");
  }
  return true;
}

/** The broker that the claimant starts, before it has put itself into its file. */
async function brokerOf(
  place: Place,
  epoch: number,
  claimant: number,
): Promise<number | undefined> {
  while (recordOf(place, epoch)?.state === "claimed") {
    const broker = childrenOf(claimant).find((pid) => commandOf(pid).includes(`--epoch=${epoch}`));
    if (broker !== undefined) return broker;
    await pause(1);
  }
  return undefined;
}

function childrenOf(pid: number): number[] {
  return wordsIn(`/proc/${pid}/task/${pid}/children`, " ").map(Number);
}

function commandOf(pid: number): string[] {
  return wordsIn(`/proc/${pid}/cmdline`, "\0");
}

function wordsIn(file: string, separator: string): string[] {
  try {
    return readFileSync(file, "utf8")
      .split(separator)
      .filter((word) => word !== "");
  } catch {
    return [];
  }
}
