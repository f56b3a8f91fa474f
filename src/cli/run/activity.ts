import type { v2 } from "../../app-server/generated/index.ts";
import type { TurnEvent } from "../../client/turn-event.ts";
import { outcomeOf, sandboxFailureOf, workOf, type Outcome, type Work } from "./work.ts";

/** Something that is worth a line of its own. All text in it is foreign. */
export type Note =
  | {
      readonly kind: "thread";
      readonly threadId: string;
      readonly resumed: boolean;
      readonly model: string;
      readonly cwd: string;
    }
  | { readonly kind: "begun"; readonly work: Work }
  | { readonly kind: "ended"; readonly work: Work; readonly outcome: Outcome }
  /** A message that was not the last one. */
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "warning"; readonly text: string };

/** Of what is being written, at least so much is kept: enough for the rows that are shown. */
const TAIL_KEPT = 2_000;
/** It is cut seldom, because its rows are broken anew where it is cut. */
const TAIL_LIMIT = 2 * TAIL_KEPT;

const WAITING: Work = { doing: "waiting for the model", subject: "" };

/** What a turn is doing, drawn from its events. Knows nothing of how it is shown. */
export class Activity {
  readonly #open = new Map<string, Work>();
  readonly #warnings = new Set<string>();
  #queued: Work | undefined;
  #unsaid = "";
  #tail = "";
  #tailOf = "";
  #usage: v2.ThreadTokenUsage | null = null;

  /** The latest of what is going on. */
  get now(): Work {
    return [...this.#open.values()].at(-1) ?? this.#queued ?? WAITING;
  }

  /** The end of what is being written or printed at this moment. */
  get tail(): string {
    return this.#tail;
  }

  get usage(): v2.ThreadTokenUsage | null {
    return this.#usage;
  }

  /** The latest message, which is the final one unless something follows. */
  get unsaid(): string {
    return this.#unsaid;
  }

  /** @returns what this event adds to the story. */
  observe(event: TurnEvent): Note[] {
    switch (event.type) {
      case "thread.started": {
        const { threadId, resumed, model, cwd } = event;
        return [{ kind: "thread", threadId, resumed, model, cwd }];
      }
      case "item.started":
        return this.#begin(event.item);
      case "item.completed":
        return this.#end(event.item);
      case "message.delta":
      case "reasoning.delta":
      case "command.output":
        this.#append(event.itemId, event.delta);
        return [];
      case "usage":
        this.#usage = event.usage;
        return [];
      case "warning":
        return this.#warn(event.message);
      case "error":
        return event.willRetry ? this.#warn(`${event.error.message}; trying again`) : [];
      case "turn.queued": {
        const before = event.position === 1 ? "next in line" : `place ${event.position} in line`;
        this.#queued = { doing: "waiting for the thread", subject: before };
        return [{ kind: "begun", work: this.#queued }];
      }
      case "turn.started":
        this.#queued = undefined;
        return [];
      case "turn.stalled":
      case "turn.completed":
      case "question.allowed":
      case "notification":
        return [];
    }
  }

  #begin(item: v2.ThreadItem): Note[] {
    const work = workOf(item);
    if (work === undefined) return [];
    this.#open.set(item.id, work);
    this.#tail = "";
    this.#tailOf = item.id;
    const said = this.#sayUnsaid();
    return outcomeOf(item) === undefined ? said : [...said, { kind: "begun", work }];
  }

  #end(item: v2.ThreadItem): Note[] {
    const work = workOf(item);
    this.#open.delete(item.id);
    if (this.#tailOf === item.id) this.#tail = "";
    if (item.type === "agentMessage") {
      const said = this.#sayUnsaid();
      this.#unsaid = item.text;
      return said;
    }
    const outcome = outcomeOf(item);
    if (work === undefined || outcome === undefined) return [];
    return [{ kind: "ended", work, outcome }, ...this.#warnOfSandbox(item)];
  }

  /** Each of its commands fails in the same way, and none of them is to blame. */
  #warnOfSandbox(item: v2.ThreadItem): Note[] {
    const why = sandboxFailureOf(item);
    if (why === undefined) return [];
    return this.#warn(
      `Codex's sandbox cannot be set up here, so no command can run in it (${why}); \`codex-broker doctor\` says ` +
        "why, and where a container confines Codex already, --sandbox danger-full-access does without",
    );
  }

  /** What was taken for the final message was not: more follows. */
  #sayUnsaid(): Note[] {
    const text = this.#unsaid;
    this.#unsaid = "";
    return text === "" ? [] : [{ kind: "said", text }];
  }

  #append(itemId: string, delta: string): void {
    if (this.#tailOf !== itemId) this.#tail = "";
    this.#tailOf = itemId;
    this.#tail += delta;
    if (this.#tail.length > TAIL_LIMIT) this.#tail = this.#tail.slice(-TAIL_KEPT);
  }

  #warn(text: string): Note[] {
    if (this.#warnings.has(text)) return [];
    this.#warnings.add(text);
    return [{ kind: "warning", text }];
  }
}
