import { Random } from "../elections/random.ts";

/** What one participant does, or what happens to all of them. */
export const ACTIONS = [
  "start",
  "resume",
  "unsubscribe",
  "turn",
  "queued turn",
  "approval",
  "steer",
  "interrupt",
  "run",
  "join",
  "job",
  "attach",
  "cancel",
  "close",
  "kill",
  "rotate",
] as const;

/** What cuts turns, so that a history with one of them is judged with less. */
export const OUTAGES = ["broker killed", "app-server killed", "stop"] as const;

export type Outage = (typeof OUTAGES)[number];
export type Action = (typeof ACTIONS)[number] | Outage;

/** A program that takes part, by how it is connected. */
export type ParticipantKind = "library" | "raw" | "proxy";

export interface Step {
  readonly number: number;
  /** Milliseconds after the one before. */
  readonly afterMs: number;
  readonly action: Action;
  /** Which participant, and which of the threads. */
  readonly participant: number;
  readonly thread: number;
  /** From 0 up to 1: how long a turn takes. */
  readonly length: number;
}

/** Everything that is left to chance in one round. */
export interface History {
  readonly seed: number;
  readonly participants: readonly ParticipantKind[];
  readonly threads: number;
  readonly steps: readonly Step[];
}

const WEIGHTS: Readonly<Record<Action, number>> = {
  start: 4,
  resume: 14,
  unsubscribe: 9,
  turn: 18,
  "queued turn": 5,
  approval: 3,
  steer: 3,
  interrupt: 5,
  run: 12,
  join: 5,
  job: 7,
  attach: 3,
  cancel: 3,
  close: 6,
  kill: 3,
  rotate: 3,
  "broker killed": 2,
  "app-server killed": 2,
  stop: 1,
};

const PARTICIPANTS = 6;
const STEPS = 30;
/** Half of the steps follow at once, because the faults lie between two messages. */
const LONGEST_PAUSE_MS = 60;
/** Of so many histories one has an outage. */
const CALM_HISTORIES = 4;

/** The same history for the same seed and the same actions. */
export function historyOf(seed: number, wanted: readonly Action[]): History {
  const random = new Random(seed * 7919);
  const hasOutage = random.below(CALM_HISTORIES) < 1;
  const actions = wanted.filter((action) => hasOutage || !isOutage(action));
  const total = actions.reduce((sum, action) => sum + WEIGHTS[action], 0);
  const participants = Array.from({ length: PARTICIPANTS }, () =>
    random.oneOf<ParticipantKind>(["library", "library", "raw", "raw", "proxy"]),
  );
  const threads = 2 + Math.floor(random.below(2));
  const steps = Array.from({ length: STEPS }, (_none, index): Step => {
    let place = random.below(total);
    return {
      number: index + 1,
      afterMs: Math.max(0, Math.round((random.below(2) - 1) * LONGEST_PAUSE_MS)),
      action: actions.find((action) => (place -= WEIGHTS[action]) < 0) ?? "turn",
      participant: Math.floor(random.below(PARTICIPANTS)),
      thread: Math.floor(random.below(threads)),
      length: random.below(1),
    };
  });
  return { seed, participants, threads, steps };
}

export function isOutage(action: Action): action is Outage {
  return (OUTAGES as readonly Action[]).includes(action);
}

export function lineOf(step: Step): string {
  const { number, afterMs, action, participant, thread, length } = step;
  return `${number} +${afterMs} ms participant ${participant} ${action} thread ${thread} length ${length.toFixed(2)}`;
}
