/** What the turns of brokers of one age came to. */
export interface AgeFigures {
  /** Milliseconds: the age at which this begins. It lasts until the next one. */
  readonly fromMs: number;
  readonly completed: number;
  readonly interrupted: number;
  /** Their end is unknown, because the app-server or the broker went away. */
  readonly lost: number;
  /** How many failed, by the kind of failure. */
  readonly failed: Readonly<Record<string, number>>;
  readonly peakRssBytes: number;
}

/** The most that was seen at once; 0 where the system does not tell. */
export interface Peaks {
  /** Of the broker, its app-server and everything that this has started, together. */
  readonly rssBytes: number;
  readonly brokerRssBytes: number;
  /** Of the app-server. */
  readonly descriptors: number;
  readonly brokerDescriptors: number;
  readonly descendants: number;
}

/** What brokers have seen: one of them while it lives, or several summed up. */
export interface Figures {
  /** How many brokers. */
  readonly epochs: number;
  readonly sessions: number;
  readonly turnsStarted: number;
  /** By the age of the broker at that moment, youngest first; an age at which nothing was seen is left out. */
  readonly ages: readonly AgeFigures[];
  readonly peaks: Peaks;
  /** Milliseconds from the start of the app-server to its first answer; the slowest of several. */
  readonly firstAnswerMs: number | null;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Finer where brokers spend most of their lives, and where a limit on the age may be set. */
export const AGES_MS: readonly number[] = [
  0,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  HOUR_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
  24 * HOUR_MS,
  72 * HOUR_MS,
];

/** Where the age begins that this one falls into. */
export function ageFromMs(ageMs: number): number {
  return AGES_MS.findLast((fromMs) => fromMs <= ageMs) ?? 0;
}

export const NO_FIGURES: Figures = {
  epochs: 0,
  sessions: 0,
  turnsStarted: 0,
  ages: [],
  peaks: { rssBytes: 0, brokerRssBytes: 0, descriptors: 0, brokerDescriptors: 0, descendants: 0 },
  firstAnswerMs: null,
};

export function noFiguresOf(fromMs: number): AgeFigures {
  return { fromMs, completed: 0, interrupted: 0, lost: 0, failed: {}, peakRssBytes: 0 };
}

/** What was counted is added, and of what was measured the most is kept. */
export function sumOf(all: readonly Figures[]): Figures {
  return all.reduce(sumOfTwo, NO_FIGURES);
}

/** The same over ages. */
export function sumOfAges(all: readonly AgeFigures[]): AgeFigures {
  return all.reduce(sumOfTwoAges, noFiguresOf(all[0]?.fromMs ?? 0));
}

export function failuresIn({ failed }: AgeFigures): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

/** Turns that came to an end, known or not. */
export function endedIn(ages: AgeFigures): number {
  return ages.completed + ages.interrupted + ages.lost + failuresIn(ages);
}

function sumOfTwo(a: Figures, b: Figures): Figures {
  return {
    epochs: a.epochs + b.epochs,
    sessions: a.sessions + b.sessions,
    turnsStarted: a.turnsStarted + b.turnsStarted,
    ages: mergedAges([...a.ages, ...b.ages]),
    peaks: {
      rssBytes: Math.max(a.peaks.rssBytes, b.peaks.rssBytes),
      brokerRssBytes: Math.max(a.peaks.brokerRssBytes, b.peaks.brokerRssBytes),
      descriptors: Math.max(a.peaks.descriptors, b.peaks.descriptors),
      brokerDescriptors: Math.max(a.peaks.brokerDescriptors, b.peaks.brokerDescriptors),
      descendants: Math.max(a.peaks.descendants, b.peaks.descendants),
    },
    firstAnswerMs: slowest(a.firstAnswerMs, b.firstAnswerMs),
  };
}

function mergedAges(all: readonly AgeFigures[]): AgeFigures[] {
  const byAge = new Map<number, AgeFigures>();
  for (const each of all) {
    const known = byAge.get(each.fromMs);
    byAge.set(each.fromMs, known === undefined ? each : sumOfTwoAges(known, each));
  }
  return [...byAge.values()].toSorted((a, b) => a.fromMs - b.fromMs);
}

function sumOfTwoAges(a: AgeFigures, b: AgeFigures): AgeFigures {
  return {
    fromMs: Math.min(a.fromMs, b.fromMs),
    completed: a.completed + b.completed,
    interrupted: a.interrupted + b.interrupted,
    lost: a.lost + b.lost,
    failed: sumOfCounts(a.failed, b.failed),
    peakRssBytes: Math.max(a.peakRssBytes, b.peakRssBytes),
  };
}

type Counts = Readonly<Record<string, number>>;

function sumOfCounts(a: Counts, b: Counts): Counts {
  const kinds = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const count = (counts: Counts, kind: string): number =>
    Object.hasOwn(counts, kind) ? (counts[kind] ?? 0) : 0;
  return Object.fromEntries(kinds.map((kind) => [kind, count(a, kind) + count(b, kind)]));
}

function slowest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.max(a, b);
}
