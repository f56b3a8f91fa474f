import type { NotificationFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";

/** How a turn ended, as its app-server tells it. */
export type TurnOutcome =
  | { readonly status: "completed" | "interrupted" | "lost" }
  /** `kind` is Codex's own classification, with the HTTP status where there was one. */
  | { readonly status: "failed"; readonly kind: string; readonly transport: boolean };

interface Trouble {
  readonly kind: string;
  /** The model was not reached, or the connection to it broke: nobody refused anything. */
  readonly transport: boolean;
}

/** Classifications of failures on the way to the model; they carry the HTTP status, if it came to one. */
const ON_THE_WAY = new Set([
  "httpConnectionFailed",
  "responseStreamConnectionFailed",
  "responseStreamDisconnected",
  "responseTooManyFailedAttempts",
]);

/** Codex calls a connection that breaks in the middle of an answer `other`, and only its words tell. */
const BROKEN_OFF =
  /^stream disconnected before completion: (Transport error|stream closed before|idle timeout|error sending)/;

/** A gateway on the way answered, and not the model. */
const FIRST_GATEWAY_STATUS = 500;

/**
 * Reads off the events of each thread how its turns begin and end. Codex does not fail a turn while it
 * waits for the network: it says so and goes on waiting, until whoever waits for the turn gives up.
 * Such a turn counts as failed, not as interrupted.
 */
export class TurnOutcomes {
  readonly #onStart: () => void;
  readonly #onEnd: (outcome: TurnOutcome) => void;
  /** By thread, as long as nothing else has come of the turn. */
  readonly #retrying = new Map<string, Trouble>();

  constructor(onStart: () => void, onEnd: (outcome: TurnOutcome) => void) {
    this.#onStart = onStart;
    this.#onEnd = onEnd;
  }

  observe({ method, params }: NotificationFrame, threadId: string): void {
    switch (method) {
      case "turn/started":
        this.#retrying.delete(threadId);
        return this.#onStart();
      case "error":
        if (isRecord(params) && params["willRetry"] === true) {
          this.#retrying.set(threadId, troubleOf(params["error"]));
        }
        return;
      case "turn/completed": {
        const trouble = this.#retrying.get(threadId);
        this.#retrying.delete(threadId);
        return this.#onEnd(outcomeOf(isRecord(params) ? params["turn"] : undefined, trouble));
      }
      case "thread/closed":
      case "thread/deleted":
        return void this.#retrying.delete(threadId);
      default:
        // The model has answered after all.
        if (this.#retrying.size > 0 && method.startsWith("item/")) this.#retrying.delete(threadId);
    }
  }

  /** Nothing more will be heard of a turn. */
  lost(): void {
    this.#onEnd({ status: "lost" });
  }
}

function outcomeOf(turn: unknown, retrying: Trouble | undefined): TurnOutcome {
  const status = isRecord(turn) ? turn["status"] : undefined;
  if (status === "failed") {
    return { status, ...troubleOf(isRecord(turn) ? turn["error"] : undefined) };
  }
  if (status !== "interrupted") return { status: "completed" };
  return retrying?.transport === true ? { status: "failed", ...retrying } : { status };
}

function troubleOf(error: unknown): Trouble {
  if (!isRecord(error)) return { kind: "unknown", transport: false };
  const { codexErrorInfo: info, message } = error;
  if (typeof info === "string") {
    const brokenOff = info === "other" && BROKEN_OFF.test(String(message));
    return brokenOff
      ? { kind: "responseStreamDisconnected", transport: true }
      : { kind: info, transport: false };
  }
  const [kind, facts] = Object.entries(isRecord(info) ? info : {})[0] ?? ["unknown", undefined];
  const httpStatus = isRecord(facts) ? facts["httpStatusCode"] : undefined;
  if (typeof httpStatus !== "number") return { kind, transport: ON_THE_WAY.has(kind) };
  const transport = ON_THE_WAY.has(kind) && httpStatus >= FIRST_GATEWAY_STATUS;
  return { kind: `${kind} ${httpStatus}`, transport };
}
