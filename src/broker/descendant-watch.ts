import { monotonicMs } from "../base/deadline.ts";

/** The shell of a command is there a few milliseconds after the command was announced. */
const FIRST_LOOK_MS = 100;
const NEXT_LOOK_MS = 1_000;
/** Looking blocks for a time that grows with the machine's processes; it may take 2 % of ours. */
const REST_FACTOR = 50;

/**
 * Keeps taking down what the app-server has started, as long as commands may run: should it be killed,
 * nothing else leads to its orphans.
 */
export class DescendantWatch {
  readonly #note: () => void;
  readonly #mayHaveMore: () => boolean;
  /** The next look is the first one after a command began. */
  #soon = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(note: () => void, mayHaveMore: () => boolean) {
    this.#note = note;
    this.#mayHaveMore = mayHaveMore;
  }

  commandStarted(): void {
    // Commands that follow each other fast must not put off the look.
    if (this.#soon) return;
    this.#soon = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), FIRST_LOOK_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#soon = false;
    const startedAt = monotonicMs();
    this.#note();
    const rest = (monotonicMs() - startedAt) * REST_FACTOR;
    this.#timer = this.#mayHaveMore()
      ? setTimeout(() => this.#look(), Math.max(NEXT_LOOK_MS, rest))
      : undefined;
  }
}
