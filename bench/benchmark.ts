import type { Contender } from "./contenders/contender.ts";
import type { Spread } from "./measure/statistics.ts";
import type { Ground } from "./ground.ts";

export type Unit = "×" | "ms" | "%" | "MiB" | "µs" | "/s" | "";

/** Something that was measured, and is shown beside what decides. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** The lowest and the highest. */
  readonly from?: number;
  readonly to?: number;
}

/** One target, and what was reached. */
export interface Row {
  readonly what: string;
  /** What decides: a ratio, or what was added. */
  readonly figure: Figure;
  /** At most this, or at least. */
  readonly limit: number;
  readonly atLeast?: true;
  /** What was measured for it: this broker's first. */
  readonly measured: readonly Figure[];
}

export interface Benchmark {
  readonly name: string;

  run(bench: Bench): Promise<readonly Row[]>;
}

export interface Bench {
  readonly ground: Ground;
  /** All that were brought, this broker first. */
  readonly contenders: readonly Contender[];
  /** Just enough to see that it works: its figures mean nothing. */
  readonly quick: boolean;
  /** So many, or far fewer in the short form. */
  times(count: number): number;
}

export function figure(name: string, unit: Unit, { median, min, max }: Spread): Figure {
  return { name, unit, value: median, from: min, to: max };
}

export function within({ figure, limit, atLeast }: Row): boolean {
  return atLeast === true ? figure.value >= limit : figure.value <= limit;
}
