import { AGES_MS, endedIn, failuresIn, sumOfAges, type Figures } from "../../base/figures.ts";
import { bytes, counted, duration, grouped } from "../output/amounts.ts";
import type { Output } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { table } from "../output/table.ts";

export interface ScopeStats {
  readonly scope: string;
  readonly workspace: string | null;
  readonly figures: Figures;
}

export interface Stats {
  readonly stateDir: string;
  readonly total: Figures;
  readonly scopes: readonly ScopeStats[];
  /** Brokers that run and did not answer. */
  readonly silent: number;
}

/** The whole picture. */
export function* statsLines({ total, scopes, silent }: Stats, to: Output): Generator<string> {
  if (total.epochs === 0) yield `${to.paint("dim", "○")} no figures yet`;
  else {
    yield headline(total, to);
    if (total.ages.length > 0) {
      yield "";
      yield* ageTable(total, to);
    }
    const kinds = failureTable(total, to);
    if (kinds.length > 0) yield "";
    yield* kinds;
    yield "";
    yield* scopeTable(scopes, to);
  }
  if (silent > 0) {
    yield to.paint("dim", `  left out: ${counted(silent, "broker")} that did not answer`);
  }
}

function headline({ epochs, sessions, turnsStarted }: Figures, to: Output): string {
  const where = `${counted(epochs, "broker")} · ${counted(sessions, "session")}`;
  return `${to.paint("bold", counted(turnsStarted, "turn"))}  ${to.paint("dim", where)}`;
}

function ageTable({ ages }: Figures, to: Output): string[] {
  const heads = [
    "age of the broker",
    "completed",
    "interrupted",
    "failed",
    "lost",
    "went wrong",
    "memory",
  ];
  const rows = ages.map((age) => [
    spanFrom(age.fromMs),
    amount(age.completed),
    amount(age.interrupted),
    amount(failuresIn(age)),
    amount(age.lost),
    share(failuresIn(age) + age.lost, endedIn(age)),
    measure(age.peakRssBytes, bytes),
  ]);
  return table(heads, rows, to);
}

function failureTable({ ages }: Figures, to: Output): string[] {
  const failures = Object.entries(sumOfAges(ages).failed).toSorted(([, a], [, b]) => b - a);
  if (failures.length === 0) return [];
  const rows = failures.map(([kind, count]) => {
    const seen = ages.filter(({ failed }) => Object.hasOwn(failed, kind));
    return [printableLine(inWords(kind)), amount(count), seen.map(spanOf).join(", ")];
  });
  return table(["failed because of", "turns", "at the age of"], rows, to);
}

function scopeTable(scopes: readonly ScopeStats[], to: Output): string[] {
  const heads = [
    "workspace",
    "brokers",
    "turns",
    "failed",
    "lost",
    "memory",
    "descriptors",
    "descendants",
    "slowest start",
  ];
  const rows = scopes.map(({ workspace, figures }) => {
    const { epochs, turnsStarted, ages, peaks, firstAnswerMs } = figures;
    const all = sumOfAges(ages);
    return [
      printableLine(workspace ?? "unknown"),
      amount(epochs),
      amount(turnsStarted),
      amount(failuresIn(all)),
      amount(all.lost),
      measure(peaks.rssBytes, bytes),
      measure(peaks.descriptors, grouped),
      measure(peaks.descendants, grouped),
      firstAnswerMs === null ? "–" : duration(firstAnswerMs),
    ];
  });
  return table(heads, rows, to);
}

const spanOf = ({ fromMs }: { readonly fromMs: number }): string => spanFrom(fromMs);

/** `under 5 min`, `1–2 h`, `from 3 d`. */
function spanFrom(fromMs: number): string {
  const toMs = AGES_MS.find((each) => each > fromMs);
  if (fromMs === 0 && toMs !== undefined) return `under ${age(toMs)}`;
  if (toMs === undefined) return `from ${age(fromMs)}`;
  const [from = "", unit] = age(fromMs).split(" ");
  const to = age(toMs);
  return to.endsWith(` ${unit ?? ""}`) ? `${from}–${to}` : `${age(fromMs)}–${to}`;
}

function age(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 60) return `${minutes} min`;
  return minutes < 24 * 60 ? `${minutes / 60} h` : `${minutes / 60 / 24} d`;
}

/** `usageLimitExceeded` as `usage limit exceeded`. */
function inWords(kind: string): string {
  return kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}

/** A zero is nothing to look at. */
function amount(count: number): string {
  return count === 0 ? "·" : grouped(count);
}

function measure(value: number, format: (value: number) => string): string {
  return value === 0 ? "–" : format(value);
}

function share(part: number, whole: number): string {
  if (part === 0) return "·";
  const percent = (part / whole) * 100;
  return `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}
