import { monotonicMs } from "../src/base/deadline.ts";
import { printableLine } from "../src/cli/output/printable.ts";
import type { TurnEvent, TurnResult } from "../src/index.ts";
import { wordsIn } from "./figures.ts";
import type { Part } from "./scripts.ts";

export interface CommandSeen {
  readonly command: string;
  readonly exitCode: number | null;
  readonly output: string;
}

/** What a lane has to tell, one after the other. */
export type Happening =
  | { readonly kind: "thinks" | "says"; readonly text: string }
  | { readonly kind: "runs"; readonly command: string }
  | { readonly kind: "ran"; readonly command: CommandSeen }
  | { readonly kind: "stopping" }
  | { readonly kind: "ended" };

/** One client's turn, as far as it has come. */
export class Lane {
  readonly client: string;
  readonly #words: number;
  readonly #begunAt = monotonicMs();
  #heard = 0;
  #thought = 0;
  #text = "";
  #latest: Happening["kind"] = "says";
  #command: CommandSeen | undefined;
  #result: TurnResult | undefined;
  #tookMs: number | undefined;

  constructor({ client, words }: Part) {
    this.client = client;
    this.#words = words;
  }

  /** From 0 to 1. */
  get progress(): number {
    return Math.min(1, this.#heard / this.#words);
  }

  get tookMs(): number {
    return this.#tookMs ?? monotonicMs() - this.#begunAt;
  }

  get result(): TurnResult | undefined {
    return this.#result;
  }

  get over(): boolean {
    return this.#tookMs !== undefined;
  }

  /** The end of what it thought or said, as long as that may be. */
  get text(): string {
    return this.#text;
  }

  get latest(): Happening["kind"] {
    return this.#latest;
  }

  get command(): CommandSeen | undefined {
    return this.#command;
  }

  /** Words that were thought before the first one was said. */
  get thoughtFirst(): number {
    return this.#thought;
  }

  hear(event: TurnEvent): Happening | undefined {
    switch (event.type) {
      case "reasoning.delta":
        return this.#note({ kind: "thinks", text: event.delta });
      case "message.delta":
        return this.#note({ kind: "says", text: event.delta });
      case "item.started":
        if (event.item.type !== "commandExecution") return undefined;
        return this.#note({ kind: "runs", command: commandOf(event.item) });
      case "item.completed": {
        const { item } = event;
        if (item.type !== "commandExecution") return undefined;
        const output = printableLine(item.aggregatedOutput ?? "");
        this.#command = { command: commandOf(item), exitCode: item.exitCode, output };
        return this.#note({ kind: "ran", command: this.#command });
      }
      default:
        return undefined;
    }
  }

  stopping(): Happening {
    return this.#note({ kind: "stopping" });
  }

  end(result?: TurnResult): Happening {
    this.#result = result;
    this.#tookMs = monotonicMs() - this.#begunAt;
    return this.#note({ kind: "ended" });
  }

  #note(happening: Happening): Happening {
    if (happening.kind === "thinks" || happening.kind === "says") {
      if (happening.kind !== this.#latest) this.#text = "";
      this.#text += happening.text;
      this.#heard += wordsIn(happening.text);
      if (happening.kind === "thinks") this.#thought += wordsIn(happening.text);
    }
    this.#latest = happening.kind;
    return happening;
  }
}

/** As it was asked for, without the shell that Codex wraps around it. */
function commandOf(item: {
  readonly command: string;
  readonly commandActions: ReadonlyArray<{ readonly command: string }>;
}): string {
  return printableLine(item.commandActions[0]?.command ?? item.command);
}
