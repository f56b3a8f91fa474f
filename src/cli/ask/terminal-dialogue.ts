import type { Dialogue, Line } from "./dialogue.ts";
import type { Keyboard } from "./keyboard.ts";
import { TypedLine } from "./typed-line.ts";

/** Where the questions stand. */
export interface QuestionDisplay {
  /** Lines that stay. */
  question(heading: string, lines: readonly Line[]): void;
  /** What is being waited for; undefined when nothing is any more. */
  prompt(text: string | undefined): void;
}

/** Asks at a terminal: questions scroll by with everything else, and the prompt stands below. */
export class TerminalDialogue implements Dialogue {
  readonly #display: QuestionDisplay;
  readonly #keyboard: Keyboard;

  constructor(display: QuestionDisplay, keyboard: Keyboard) {
    this.#display = display;
    this.#keyboard = keyboard;
  }

  show(heading: string, lines: readonly Line[]): void {
    this.#display.question(heading, lines);
  }

  async key(prompt: string, keys: readonly string[], signal: AbortSignal): Promise<string> {
    const show = (): void => this.#display.prompt(prompt);
    const take = (key: string): string | undefined => {
      const wanted = key.toLowerCase();
      return keys.includes(wanted) ? wanted : undefined;
    };
    return await this.#read(signal, show, take);
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
