import { Deadline, monotonicMs, pause } from "../../src/base/deadline.ts";
import type { MarkedProcess } from "../support/marked-processes.ts";
import type { Settled } from "./client-orders.ts";
import type { Ask } from "./client-process.ts";
import type { Fault } from "./fault.ts";
import { SLOW_TURN, SLOW_TURN_END, Stage } from "./stage.ts";

/** Whatever was asked must have been settled by then. */
const SETTLED_WITHIN_MS = 90_000;
const STOPPED_WITHIN_MS = 10_000;
const TIDY_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 50;
const GREETING = "hello again";

/** How one fault was survived. */
export interface Outcome {
  readonly group: string;
  readonly name: string;
  readonly short: boolean;
  /** Why it was not brought about; everything below is empty then. */
  readonly skipped: string | null;
  /** From the question of the next client to the end of its turn. */
  readonly servedMs: number | null;
  /** From the fault until only one broker and its app-server were left. */
  readonly goneMs: number | null;
  readonly wrongKills: number;
  /** Questions that were never settled, or wrongly. */
  readonly lostAnswers: number;
  readonly processesLeft: number;
  readonly filesLeft: number;
  /** How the clients that were there before came out of it. */
  readonly endings: readonly string[];
  /** What should not have been so. Empty: all went well. */
  readonly violations: readonly string[];
}

export interface Conditions {
  /** Where the broker and the client lie that can strike themselves. */
  readonly programs: string;
  /** The codex to be found; undefined: the real one. */
  readonly codex: string | undefined;
  /** What a start takes here and now beyond what it takes on a machine that has nothing else to do. */
  readonly slackMs: number;
}

/** From the question of a client that finds nothing there to the end of its turn. */
export async function coldStart({ programs, codex }: Omit<Conditions, "slackMs">): Promise<number> {
  await using stage = await Stage.open(programs, codex === undefined ? {} : { codex });
  const client = await stage.client();
  const turn = client.turn("say: cold");
  await turn.settled;
  return Math.round(turn.ms());
}

/** Brings about one fault and looks at what comes of it. */
export async function holdTrial(fault: Fault, conditions: Conditions): Promise<Outcome> {
  const { group, name, short = false } = fault;
  const { programs, codex, slackMs } = conditions;
  const bound = {
    servedMs: fault.bound.servedMs + slackMs,
    goneMs: fault.bound.goneMs + slackMs,
  };
  const skipped = (await fault.unable?.()) ?? null;
  const blank = {
    group,
    name,
    short,
    skipped,
    servedMs: null,
    goneMs: null,
    wrongKills: 0,
    lostAnswers: 0,
    processesLeft: 0,
    filesLeft: 0,
    endings: [],
    violations: [],
  };
  if (skipped !== null) return blank;
  const world = (await fault.world?.()) ?? {};
  const violations: string[] = [];
  try {
    await using stage = await Stage.open(programs, {
      ...(codex === undefined ? {} : { codex }),
      ...world,
    });
    const next = await stage.client();
    await fault.strike(stage).catch((error: unknown) => {
      throw new Error(`${String(error)} (${stage.history().join("; ")})`);
    });
    stage.struck();
    if (fault.refusal !== undefined) {
      const refused = await next.turn("say: too early").settled;
      if (refused.kind !== "failed" || refused.error !== fault.refusal) {
        violations.push(`instead of ${fault.refusal}: ${inWords(refused)}`);
      }
    }
    await fault.heal?.(stage);
    const served = next.turn(`say: ${GREETING}`);
    const answer = await within(served.settled, SETTLED_WITHIN_MS);
    if (answer?.kind !== "answered" || answer.text !== GREETING) {
      violations.push(`the next client: ${answer === undefined ? "nothing" : inWords(answer)}`);
    }
    await fault.after?.(stage);
    const { goneMs, superfluous } = await untilOnlyOneIsLeft(stage, bound.goneMs);
    const files = await untilTidy(stage);
    for (const pid of stage.sleepers) process.kill(pid, "SIGCONT");
    for (const client of stage.clients) client.signal("SIGCONT");
    const asks = stage.clients.flatMap((client) => (client.killed ? [] : client.asks));
    await within(Promise.all(asks.map(({ settled }) => settled)), SETTLED_WITHIN_MS);
    const lost = asks.filter((ask) => isLost(ask));
    const otherwise = fault.check?.(stage);
    if (otherwise !== undefined) violations.push(otherwise);

    await Promise.all(stage.clients.map((client) => client.leave()));
    await stage.stopBrokers();
    const left = await untilNothingIsLeft(stage);
    files.push(...stage.filesLeft());
    const wrongKills = stage.bystanders.ended;

    const servedMs = Math.round(served.ms());
    if (servedMs > bound.servedMs) violations.push(`served after ${servedMs} ms`);
    if (wrongKills > 0) violations.push(`${wrongKills} bystanders ended`);
    const named = stage.sleepers.length;
    if (superfluous.length > named) {
      violations.push(...superfluous.map(({ pid, commandLine }) => `left: ${pid} ${commandLine}`));
    }
    violations.push(...lost.map((ask) => `lost: ${JSON.stringify(ask.wish)}: ${endingOf(ask)}`));
    violations.push(...left.map((each) => `left in the end: ${each}`));
    violations.push(...files.map((file) => `file left: ${file}`));
    if (violations.length > 0) violations.push(...stage.history(), ...stage.logs());
    return {
      ...blank,
      servedMs,
      goneMs,
      wrongKills,
      lostAnswers: lost.length,
      processesLeft: left.length,
      filesLeft: files.length,
      endings: asks.filter((ask) => ask !== served && ask.wish.do === "turn").map(endingOf),
      violations,
    };
  } catch (error) {
    return { ...blank, violations: [...violations, `the trial failed: ${String(error)}`] };
  } finally {
    await world.remove?.();
  }
}

async function untilOnlyOneIsLeft(
  stage: Stage,
  limitMs: number,
): Promise<{ goneMs: number | null; superfluous: readonly MarkedProcess[] }> {
  const deadline = Deadline.after(limitMs - (monotonicMs() - stage.struckAt));
  for (;;) {
    const superfluous = await stage.superfluous();
    const elapsedMs = Math.round(monotonicMs() - stage.struckAt);
    if (superfluous.length === 0) return { goneMs: elapsedMs, superfluous };
    // Whoever sleeps unnamed can be ended by nobody: no use to wait for him.
    const asleep = superfluous.every(({ pid }) => stage.sleepers.includes(pid));
    if (asleep || deadline.expired) return { goneMs: null, superfluous };
    await pause(LOOK_EVERY_MS);
  }
}

/** While the successor lives: it clears up behind its predecessors, now and then. */
async function untilTidy(stage: Stage): Promise<string[]> {
  const deadline = Deadline.after(TIDY_WITHIN_MS);
  while (stage.filesLeft().length > 0 && !deadline.expired) await pause(LOOK_EVERY_MS);
  return stage.filesLeft();
}

async function untilNothingIsLeft(stage: Stage): Promise<readonly string[]> {
  const deadline = Deadline.after(STOPPED_WITHIN_MS);
  for (;;) {
    const left = await stage.processes();
    if (left.length === 0 || deadline.expired) {
      return left.map(({ pid, commandLine }) => `${pid} ${commandLine}`);
    }
    await pause(LOOK_EVERY_MS);
  }
}

async function within<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
  return await Deadline.after(limitMs)
    .race(work, () => new Error("too late"))
    .catch(() => undefined);
}

/** Not settled; settled without a reason that a program can act upon; or said to be whole and not whole. */
function isLost({ wish, outcome }: Ask): boolean {
  const settled = outcome();
  if (settled === undefined || settled.kind === "untyped") return true;
  const isWhole = settled.kind === "answered" && settled.status === "completed";
  if (!isWhole || wish.do !== "turn") return false;
  return wish.prompt === SLOW_TURN && !settled.text.trim().endsWith(SLOW_TURN_END);
}

function endingOf(ask: Ask): string {
  const settled = ask.outcome();
  return settled === undefined ? "never settled" : inWords(settled);
}

function inWords(settled: Settled): string {
  switch (settled.kind) {
    case "answered":
      return settled.status;
    case "failed":
      return settled.error;
    case "untyped":
      return `an error without a kind: ${settled.message}`;
  }
}
