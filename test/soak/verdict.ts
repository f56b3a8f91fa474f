import { FIGURES, type Figure, type Sample } from "./sample.ts";

/** How far a figure may be above what it was: by a share of it, and at least by so much. */
export interface Tolerance {
  readonly share: number;
  readonly atLeast: number;
}

export const TOLERANCES: Readonly<Record<Exclude<Figure, "journalsKiB">, Tolerance>> = {
  brokerMiB: { share: 0.15, atLeast: 12 },
  appServerMiB: { share: 0.2, atLeast: 24 },
  clientHeapMiB: { share: 0.15, atLeast: 6 },
  brokerDescriptors: { share: 0, atLeast: 4 },
  appServerDescriptors: { share: 0, atLeast: 8 },
  clientDescriptors: { share: 0, atLeast: 4 },
  processes: { share: 0, atLeast: 0 },
  // A log of each broker is in it, which has a limit of its own.
  stateKiB: { share: 0.2, atLeast: 1024 },
};

/** A journal is kept for each job. What is long is cut, so none of these grows beyond this. */
const LARGEST_JOURNAL_KIB = 64;

export interface Comparison {
  readonly figure: string;
  readonly first: number;
  readonly last: number;
  readonly most: number;
}

/**
 * Compares the last tenth of the samples with the first, by their medians. Memory and descriptors of
 * a broker mean something only within one epoch, so these are the samples of the last one.
 */
export function compare(samples: readonly Sample[], factor = 1): Comparison[] {
  const tenth = Math.max(1, Math.round(samples.length / 10));
  const firsts = samples.slice(0, tenth);
  const lasts = samples.slice(-tenth);
  const compared = Object.entries(TOLERANCES).map(([name, { share, atLeast }]) => {
    const of = (some: readonly Sample[]): number =>
      median(some.map(({ figures }) => figures[name as Figure]));
    const first = of(firsts);
    const most = first + Math.max(first * share, atLeast) * factor;
    return { figure: FIGURES[name as Figure], first, last: of(lasts), most };
  });
  const last = samples.at(-1);
  const jobs = last?.jobs ?? 0;
  const journals = last?.figures.journalsKiB ?? 0;
  return [
    ...compared,
    {
      figure: "KiB of each journal",
      first: 0,
      last: journals / (jobs || 1),
      most: LARGEST_JOURNAL_KIB,
    },
  ];
}

export function isAbove({ last, most }: Comparison): boolean {
  return last > most;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
