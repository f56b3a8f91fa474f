import {
  ageFromMs,
  NO_FIGURES,
  noFiguresOf,
  sumOfAges,
  type AgeFigures,
  type Figures,
  type Peaks,
} from "../base/figures.ts";
import { rssOf, type Usage } from "../base/usage.ts";
import type { TurnOutcome } from "./turn-outcome.ts";

/** Keeps the figures of this epoch. Each is put down under the age that the broker had then. */
export class Tally {
  readonly #ages = new Map<number, AgeFigures>();
  #peaks: Peaks = NO_FIGURES.peaks;
  #sessions = 0;
  #turnsStarted = 0;
  #firstAnswerMs: number | null = null;

  sessionOpened(): void {
    this.#sessions += 1;
  }

  firstAnswer(afterMs: number): void {
    this.#firstAnswerMs = Math.round(afterMs);
  }

  turnStarted(): void {
    this.#turnsStarted += 1;
  }

  turnEnded(outcome: TurnOutcome, ageMs: number): void {
    const failed = outcome.status === "failed";
    this.#add(ageMs, failed ? { failed: { [outcome.kind]: 1 } } : { [outcome.status]: 1 });
  }

  used(usage: Usage, ageMs: number): void {
    const { broker, appServer, descendants } = usage;
    const peaks = this.#peaks;
    this.#add(ageMs, { peakRssBytes: rssOf(usage) });
    this.#peaks = {
      rssBytes: Math.max(peaks.rssBytes, rssOf(usage)),
      brokerRssBytes: Math.max(peaks.brokerRssBytes, broker.rssBytes ?? 0),
      descriptors: Math.max(peaks.descriptors, appServer?.descriptors ?? 0),
      brokerDescriptors: Math.max(peaks.brokerDescriptors, broker.descriptors ?? 0),
      descendants: Math.max(peaks.descendants, descendants?.count ?? 0),
    };
  }

  figures(): Figures {
    return {
      epochs: 1,
      sessions: this.#sessions,
      turnsStarted: this.#turnsStarted,
      ages: [...this.#ages.values()],
      peaks: this.#peaks,
      firstAnswerMs: this.#firstAnswerMs,
    };
  }

  #add(ageMs: number, more: Partial<AgeFigures>): void {
    const fromMs = ageFromMs(ageMs);
    const known = this.#ages.get(fromMs) ?? noFiguresOf(fromMs);
    this.#ages.set(fromMs, sumOfAges([known, { ...noFiguresOf(fromMs), ...more }]));
  }
}
