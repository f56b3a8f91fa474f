import { Random } from "../elections/random.ts";

/** What clients do. */
export const WORK = [
  "turn",
  "turn on the same thread",
  "request",
  "interrupt",
  "approval",
  "departure in a turn",
  "command",
] as const;

/** What happens to them, to brokers and to files. */
export const FAULTS = [
  "rotation",
  "config edited",
  "codex replaced",
  "current removed",
  "socket removed",
  "record removed",
  "broker killed",
  "broker stopped",
  "app-server killed",
  "app-server stopped",
  "client killed",
  "client stopped",
  "told to stop",
] as const;

export type WorkKind = (typeof WORK)[number];
export type FaultKind = (typeof FAULTS)[number];

/** One thing to do. Everything that is left to chance stands in it. */
export interface Operation {
  readonly number: number;
  readonly kind: WorkKind | FaultKind;
  /** Milliseconds after the one before. */
  readonly afterMs: number;
  /** From 0 up to 1: who does it, for how long, and how much. */
  readonly who: number;
  readonly howLong: number;
  readonly howMuch: number;
}

const WEIGHTS: Readonly<Record<WorkKind | FaultKind, number>> = {
  turn: 30,
  "turn on the same thread": 12,
  request: 15,
  interrupt: 6,
  approval: 5,
  "departure in a turn": 4,
  command: 4,
  rotation: 4,
  "config edited": 1,
  "codex replaced": 1,
  "current removed": 1,
  "socket removed": 1,
  "record removed": 1,
  "broker killed": 1,
  "broker stopped": 1,
  "app-server killed": 1,
  "app-server stopped": 1,
  "client killed": 2,
  "client stopped": 2,
  "told to stop": 1,
};

const LONGEST_PAUSE_MS = 150;

export function isFault(kind: WorkKind | FaultKind): kind is FaultKind {
  return (FAULTS as readonly string[]).includes(kind);
}

/** The same operations for the same seed and the same kinds, without an end. */
export function* scheduleOf(
  seed: number,
  kinds: readonly (WorkKind | FaultKind)[],
): Generator<Operation, never> {
  const random = new Random(seed);
  const total = kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  for (let number = 1; ; number += 1) {
    let place = random.below(total);
    const kind = kinds.find((each) => (place -= WEIGHTS[each]) < 0) ?? "turn";
    yield {
      number,
      kind,
      afterMs: Math.round(random.below(LONGEST_PAUSE_MS)),
      who: random.below(1),
      howLong: random.below(1),
      howMuch: random.below(1),
    };
  }
}
