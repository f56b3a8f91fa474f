import { RESIZED, type Dialogue, type Page, type PageSize } from "./dialogue.ts";
import type { Keyboard } from "./keyboard.ts";
import { TypedLine } from "./typed-line.ts";

/** The part of a screen reporter that shows questions. */
export interface QuestionDisplay {
  readonly pageSize: PageSize;
  /** Prints a page. From then on nothing else is printed until `questionOver`. */
  question(page: Page): void;
  /** Prints what was held back. */
  questionOver(): void;
  /** Shows the keys below the page; undefined removes them. */
  prompt(text: string | undefined): void;
  /** Calls the listener when the screen gets another size. Returns its own undo. */
  onResize(listener: () => void): () => void;
}

/** Asks at a terminal: a page scrolls in at the bottom, and the keys stand below it. */
export class TerminalDialogue implements Dialogue {
  readonly #display: QuestionDisplay;
  readonly #keyboard: Keyboard;

  constructor(display: QuestionDisplay, keyboard: Keyboard) {
    this.#display = display;
    this.#keyboard = keyboard;
  }

  get size(): PageSize {
    return this.#display.pageSize;
  }

  show(page: Page): void {
    this.#display.question(page);
  }

  done(): void {
    this.#display.questionOver();
  }

  async key(
    prompt: string,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<string | typeof RESIZED> {
    const show = (): void => this.#display.prompt(prompt);
    const take = (key: string): string | undefined => {
      const lower = key.toLowerCase();
      return keys.includes(lower) ? lower : undefined;
    };
    const resized = new AbortController();
    const undo = this.#display.onResize(() => resized.abort());
    try {
      return await this.#read(AbortSignal.any([signal, resized.signal]), show, take);
    } catch (error) {
      if (signal.aborted || !resized.signal.aborted) throw error;
      return RESIZED;
    } finally {
      undo();
    }
  }

  async line(prompt: string, secret: boolean, signal: AbortSignal): Promise<string | undefined> {
    const typed = new TypedLine();
    const show = (): void => {
      const text = secret ? "*".repeat(typed.text.length) : typed.text;
      this.#display.prompt(`${prompt} ${text}`);
    };
    const { line } = await this.#read(signal, show, (key) => {
      const outcome = typed.take(key);
      if (outcome === undefined) show();
      return outcome;
    });
    return line;
  }

  async #read<T>(
    signal: AbortSignal,
    show: () => void,
    take: (key: string) => T | undefined,
  ): Promise<T> {
    try {
      return await this.#keyboard.read(signal, show, take);
    } finally {
      this.#display.prompt(undefined);
    }
  }
}
