/** What many repetitions of one thing came to. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    count: sorted.length,
  };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Between two values, the share of the way between them. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Of two things that were done in turn, round by round: what the same moment of a shared machine did
 * to both is not in it.
 */
export function pairwise(
  ours: readonly number[],
  others: readonly number[],
  combine: (our: number, other: number) => number,
): number[] {
  return ours.map((our, round) => combine(our, others[round] ?? Number.NaN));
}

export function ratio(our: number, other: number): number {
  return our / other;
}

export function difference(our: number, other: number): number {
  return our - other;
}
